import { expect } from 'chai';
import { describeError } from '../../../app/runtime/errors.ts';

describe('describeError', () => {
  const refused = new Error('connect ECONNREFUSED /run/charon.vici');

  it('adds causes, and none that the message quotes already', () => {
    expect(describeError(new Error('cannot list', { cause: refused }))).to.equal(
      'cannot list: connect ECONNREFUSED /run/charon.vici',
    );
    expect(describeError(new Error(`charon: ${refused.message}`, { cause: refused }))).to.equal(
      'charon: connect ECONNREFUSED /run/charon.vici',
    );
  });

  it('takes what is thrown and no Error', () => {
    expect(describeError('no')).to.equal('no');
  });
});
