import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { SettingsError } from '../../../app/runtime/errors.ts';
import { readSettings, SETTINGS, type Setting } from '../../../app/runtime/settings.ts';
import { SETTINGS_PAGE, settingsPage } from '../../../scripts/generate-settings-page.ts';

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
    {
      given: { NODE_NAME: 'Bad Name' },
      says: 'NODE_NAME must be the name of a Node: lower-case letters, digits, "-" and ".", e.g. controller-0, not "Bad Name"',
    },
    {
      given: { NODE_NAME: 'a', CONF_FILE: 'k8s-nodes.conf' },
      says: 'CONF_FILE must be a path from the root that ends in .conf',
    },
    {
      given: { NODE_NAME: 'a', VICI_SOCKET: 'charon.vici' },
      says: 'VICI_SOCKET must be a path from the root',
    },
    { given: { NODE_NAME: 'a', HEALTH_PORT: '70000' }, says: 'HEALTH_PORT must be at most 65535, not 70000' },
    {
      given: { NODE_NAME: 'a', LOG_LEVEL: 'loud' },
      says: 'LOG_LEVEL must be one of debug, info, warn, error, not "loud"',
    },
    {
      given: { NODE_NAME: 'a', VERIFY_SECONDS: 'often' },
      says: 'VERIFY_SECONDS must be a whole number, not "often"',
    },
  ]) {
    it(`refuses ${JSON.stringify(given)}`, () => {
      expect(() => readSettings('agent', given)).to.throw(SettingsError, says);
    });
  }

  for (const { given, says } of [
    { given: { POD_NAMESPACE: 'Kube_System' }, says: 'POD_NAMESPACE must be the name of a namespace' },
    { given: { POD_NAMESPACE: '' }, says: 'POD_NAMESPACE must be the name of a namespace' },
    { given: { POD_NAME: 'a b' }, says: 'POD_NAME must be the name of a pod' },
    { given: { IKE_PROPOSAL: 'aes}' }, says: "IKE_PROPOSAL must be algorithms in strongSwan's words" },
  ])
    it(`refuses ${JSON.stringify(given)} of a manager`, () => {
      expect(() => readSettings('manager', given)).to.throw(SettingsError, says);
    });

  it('shows nobody a regular expression', () => {
    for (const { env, program, schema, form } of Object.values<Setting>(SETTINGS)) {
      if (schema['pattern'] === undefined) continue;
      expect(form, `the form of ${env}`).to.be.a('string');
      const given = { NODE_NAME: 'a', [env]: '{' };
      expect(() => readSettings(program === 'agent' ? 'agent' : 'manager', given)).to.throw(
        `${env} must be ${form}, not "{"`,
      );
    }
  });

  it('has its page in the docs (else: node scripts/generate-settings-page.ts)', () => {
    expect(readFileSync(SETTINGS_PAGE, 'utf8')).to.equal(settingsPage());
  });
});
