// Situations by name: facts.yaml in, the file of each host out, as reviewers read it. `UPDATE_GOLDEN=1` rewrites them:
// UPDATE_GOLDEN=1 npx mocha test/golden/golden.test.ts
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { load } from 'js-yaml';
import type { Facts } from '../../app/domain/facts.ts';
import { parseConfText } from '../../app/swanctl/conf-parse.ts';
import { renderPlans } from '../../app/swanctl/plan-text.ts';

const HERE = import.meta.dirname;
const isUpdate = process.env['UPDATE_GOLDEN'] === '1';

const situations = readdirSync(HERE)
  .filter((name) => existsSync(join(HERE, name, 'facts.yaml')))
  .sort();

describe('golden files', () => {
  it('are there', () => expect(situations).to.have.length.above(5));

  for (const situation of situations)
    describe(situation, () => {
      const directory = join(HERE, situation);
      const rendered = renderPlans(load(readFileSync(join(directory, 'facts.yaml'), 'utf8')) as Facts);

      for (const [host, text] of rendered)
        it(`${host} is as reviewed`, () => {
          const path = join(directory, `${host}.conf`);
          if (isUpdate) writeFileSync(path, text);
          expect(text).to.equal(readFileSync(path, 'utf8'));
          expect(parseConfText(text)).to.have.property('config');
        });

      it('has no file of a host that is not there', () => {
        const files = readdirSync(directory).filter((name) => name.endsWith('.conf'));
        expect(files.sort()).to.deep.equal([...rendered.keys()].map((host) => `${host}.conf`));
      });
    });
});
