import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { PAGE, troubleshootPage } from '../../../scripts/troubleshoot.ts';
import { ACTS } from '../../testbed/faults/acts.ts';
import { isNone, SIGN_NAMES } from '../../testbed/faults/fault.ts';
import { FAULTS } from '../../testbed/faults/table.ts';

describe('the page of faults', () => {
  it('is of the table of today', () => {
    expect(readFileSync(PAGE, 'utf8'), 'run node scripts/troubleshoot.ts').to.equal(troubleshootPage());
  });

  it('names each fault once', () => {
    const names = FAULTS.map(({ name }) => name);
    expect(new Set(names).size).to.equal(names.length);
  });

  it('has no act without a fault, and no fault with signs without an act', () => {
    const visible = FAULTS.filter(({ signs }) => SIGN_NAMES.some((sign) => !isNone(signs[sign])));
    expect(Object.keys(ACTS).sort()).to.deep.equal(visible.map(({ name }) => name).sort());
  });
});
