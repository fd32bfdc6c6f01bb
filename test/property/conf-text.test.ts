// The file and its parser: what is rendered is read back as it was, the same bytes each time; what is not ours, or was
// tampered with, is never silently taken for a configuration.
import { expect } from 'chai';
import fc from 'fast-check';
import { planHost } from '../../app/domain/plan-host.ts';
import { assignNames } from '../../app/domain/names.ts';
import { parseConfText } from '../../app/swanctl/conf-parse.ts';
import { confText } from '../../app/swanctl/conf-text.ts';
import { someFacts } from '../support/facts-arbitraries.ts';
import { someHostConfig } from '../support/host-configs.ts';

describe('the conf file', function () {
  this.timeout(30_000);

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(someHostConfig, (config) => {
        expect(parseConfText(confText(config))).to.deep.equal({ config });
      }),
    );
  });

  it('is read back for every plan of arbitrary facts', () => {
    fc.assert(
      fc.property(someFacts, (facts) => {
        for (const { name } of facts.hosts) {
          const config = assignNames(planHost(facts, name), undefined, new Map());
          expect(parseConfText(confText(config))).to.deep.equal({ config });
        }
      }),
    );
  });

  it('holds printable ASCII and newlines only, without tabs or blanks at line ends', () => {
    fc.assert(
      fc.property(someHostConfig, (config) => {
        expect(confText(config)).to.match(/^(?:[ -~]*[!-~]\n)+$/);
      }),
    );
  });

  it('with any piece cut out, doubled or replaced is refused or says what its text says', () => {
    const hostile = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '\n',
        '}',
        '{',
        '"',
        '#',
        ' include /etc/passwd\n',
        '\nupdown = /bin/sh\n',
        '\r',
        '\\',
        '\0',
        'é',
      ),
    );
    fc.assert(
      fc.property(someHostConfig, fc.nat(), fc.nat(80), hostile, (config, at, length, piece) => {
        const text = confText(config);
        const start = at % text.length;
        const changed = text.slice(0, start) + piece + text.slice(start + length);
        const parsed = parseConfText(changed);
        // Only comments, blanks and quotes may differ from what such a configuration is written as.
        if ('config' in parsed) expect(meaning(confText(parsed.config))).to.deep.equal(meaning(changed));
        else expect(parsed.line).to.be.greaterThan(0);
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses arbitrary text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        expect(parseConfText(text)).to.have.property('error');
      }),
    );
  });
});

/** What strongSwan would take from a text: lines without comments, indentation and needless quotes. */
function meaning(text: string): string[] {
  return text
    .split('\n')
    .map((line) =>
      line
        .trim()
        .replace(/ = "([A-Za-z0-9._-]+)"$/, ' = $1')
        .replace(/^(id|ca_id|[a-z]+_ts|[a-z_]+) = "(.*)"$/, '$1 = $2'),
    )
    .filter((line) => line !== '' && !line.startsWith('#'));
}
