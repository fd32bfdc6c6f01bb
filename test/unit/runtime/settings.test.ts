import { expect } from 'chai';
import { SettingsError } from '../../../app/runtime/errors.ts';
import { readSettings } from '../../../app/runtime/settings.ts';

describe('readSettings', () => {
  it('has a default for everything a manager needs', () => {
    const settings = readSettings('manager', {});
    expect(settings).to.include({
      ikeProposal: 'aes128-sha256-prfaesxcbc-modp3072',
      ikeReauthSeconds: 14_400,
      guardMode: 'enforce',
    });
    expect(Object.isFrozen(settings)).to.equal(true);
  });

  it('reads numbers out of text', () => {
    expect(
      readSettings('agent', { NODE_NAME: 'controller-0', VERIFY_SECONDS: '7', HEALTH_PORT: '0' }),
    ).to.include({
      nodeName: 'controller-0',
      verifySeconds: 7,
      healthPort: 0,
    });
  });

  it('ignores what belongs to the other program', () => {
    expect(readSettings('agent', { NODE_NAME: 'a', LEASE_SECONDS: 'soon' }).leaseSeconds).to.equal(15);
  });

  for (const { given, says } of [
    { given: {}, says: 'NODE_NAME' },
    { given: { NODE_NAME: 'Bad Name' }, says: 'NODE_NAME' },
    { given: { NODE_NAME: 'a', HEALTH_PORT: '70000' }, says: 'HEALTH_PORT must be <= 65535' },
    {
      given: { NODE_NAME: 'a', LOG_LEVEL: 'loud' },
      says: 'LOG_LEVEL must be equal to one of the allowed values (debug, info, warn, error)',
    },
    { given: { NODE_NAME: 'a', VERIFY_SECONDS: 'often' }, says: 'VERIFY_SECONDS must be integer' },
  ]) {
    it(`refuses ${JSON.stringify(given)}`, () => {
      expect(() => readSettings('agent', given)).to.throw(SettingsError, says);
    });
  }
});
