import { expect } from 'chai';
import { oneOf, readArguments, type Expected } from '../../../app/commands/arguments.ts';
import { UsageError } from '../../../app/commands/command-errors.ts';

const EXPECTED: Expected = {
  options: { host: { value: 'NAME' }, output: { value: 'json|yaml', short: 'o' }, quiet: {} },
  words: ['NAMESPACE/SERVICE'],
  usage: 'verify NAMESPACE/SERVICE [--host NAME] [-o json|yaml] [--quiet]',
};

describe('readArguments', () => {
  it('gives values, flags and words in any order', () => {
    for (const words of [
      ['a/b', '--host', 'x', '-o', 'json', '--quiet'],
      ['--quiet', '--host=x', '-ojson', 'a/b'],
    ]) {
      const args = readArguments(words, EXPECTED);
      expect([args.words, args.value('host'), args.value('output'), args.has('quiet')]).to.deep.equal([
        ['a/b'],
        'x',
        'json',
        true,
      ]);
    }
  });

  for (const { words, says } of [
    { words: ['a/b', '--hosts', 'x'], says: /^Unknown option '--hosts': verify / },
    { words: ['a/b', '-x'], says: /^Unknown option '-x': verify / },
    { words: ['a/b', '--host'], says: /^Option '--host <value>' argument missing: verify / },
    { words: ['a/b', '--host='], says: /^--host is empty: give NAME$/ },
    { words: ['a/b', '--quiet=1'], says: /--quiet.*: verify / },
    { words: ['a/b', 'c'], says: /^"c" is one word too many: verify / },
    { words: [], says: /^NAMESPACE\/SERVICE is missing: verify / },
  ])
    it(`refuses ${JSON.stringify(words)} in one line`, () => {
      expect(() => readArguments(words, EXPECTED)).to.throw(UsageError, says);
      expect(() => readArguments(words, EXPECTED)).to.throw(/^[^\n]*$/);
    });

  it('knows the words of an option', () => {
    expect(oneOf('output', 'json', ['json', 'yaml'])).to.equal('json');
    expect(() => oneOf('output', 'xml', ['json', 'yaml'])).to.throw('--output xml: give one of json, yaml');
  });
});
