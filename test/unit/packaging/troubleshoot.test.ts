import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { PAGE, troubleshootPage } from '../../../scripts/troubleshoot.ts';
import { ACTS } from '../../testbed/faults/acts.ts';
import { FAULTS } from '../../testbed/faults/table.ts';

describe('the page of faults', () => {
  it('is of the table of today', () => {
    expect(readFileSync(PAGE, 'utf8'), 'run node scripts/troubleshoot.ts').to.equal(troubleshootPage());
  });

  it('names each fault once', () => {
    const names = FAULTS.map(({ name }) => name);
    expect(new Set(names).size).to.equal(names.length);
  });

  it('has no act without a fault, and says of a fault without an act that it is not made', () => {
    const acts = new Set(Object.keys(ACTS));
    for (const { name, lab } of FAULTS) expect(lab.startsWith('not made'), name).to.equal(!acts.delete(name));
    expect([...acts]).to.deep.equal([]);
  });
});
