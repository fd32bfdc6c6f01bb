import { expect } from 'chai';
import { parseConfText } from '../../../app/swanctl/conf-parse.ts';
import { confText } from '../../../app/swanctl/conf-text.ts';
import { BORROWED, config, DNS_EGRESS, local, METRICS_EGRESS, peer } from '../../support/host-configs.ts';

const TEXT = confText(
  config(
    peer('controller-1', [DNS_EGRESS, METRICS_EGRESS], { loadedAt: '2026-11-24T11:14:00.123Z' }),
    local([BORROWED]),
  ),
);

describe('parseConfText', () => {
  it('does not mind other comments, blank lines and indentation', () => {
    const loose = TEXT.replaceAll('\n', '\n\n  # a note\n').replaceAll('    ', ' ');
    // Every second comment stands between loaded-at and its section and must not hide it.
    expect(parseConfText(loose)).to.deep.equal(parseConfText(TEXT));
  });

  const cases: { name: string; from: string | RegExp; to: string; error: RegExp }[] = [
    {
      name: 'a foreign connection',
      from: 'k8s-node-controller-1',
      to: 'system-nodes',
      error: /^line 5: .*not a connection of ours/,
    },
    { name: 'a dot in a name', from: 'k8s-node-controller-1', to: 'k8s-node-a.b', error: /^line 5: neither/ },
    {
      name: 'the same connection twice',
      from: 'k8s-node-local',
      to: 'k8s-node-controller-1',
      error: /twice/,
    },
    {
      name: 'a key of its own',
      from: 'mobike = yes',
      to: 'mobike = yes\n    updown = /bin/sh',
      error: /line 11: "updown" does not belong/,
    },
    { name: 'an include', from: 'mobike = yes', to: 'include /etc/passwd', error: /^line 10: neither/ },
    {
      name: 'another value of a fixed key',
      from: 'unique = never',
      to: 'unique = replace',
      error: /line 11: "unique" should be "never"/,
    },
    {
      name: 'a key twice',
      from: 'mobike = yes',
      to: 'mobike = yes\n    mobike = yes',
      error: /line 11: "mobike" stands here twice/,
    },
    { name: 'a missing key', from: '    dpd_delay = 10s\n', to: '', error: /no "dpd_delay"/ },
    {
      name: 'an address with leading zeros',
      from: '= 192.168.206.2\n',
      to: '= 192.168.206.02\n',
      error: /line 7: "local_addrs" is not an address/,
    },
    {
      name: 'another identity',
      from: 'CN=ipsec-controller-0',
      to: 'CN=*',
      error: /cannot be the value of "id"/,
    },
    { name: 'a selector with a name', from: '[17/53]', to: '[17/domain]', error: /a selector of/ },
    {
      name: 'selectors of two protocols',
      from: '172.16.192.64/26[17]',
      to: '172.16.192.64/26[6]',
      error: /differ/,
    },
    { name: 'a priority that the platform beats', from: '100012', to: '199679', error: /not below 199679/ },
    {
      name: 'ESP parameters that differ among children',
      from: /aes128gcm16(?![\s\S]*aes128gcm16)/,
      to: 'aes256gcm16',
      error: /"esp_proposals" should be "aes128gcm16"/,
    },
    {
      name: 'start_action = start',
      from: 'start_action = trap',
      to: 'start_action = start',
      error: /cannot be the value of "start_action"/,
    },
    {
      name: "a pass child in a peer's connection",
      from: 'mode = tunnel',
      to: 'mode = pass',
      error: /"mode" should be "tunnel"/,
    },
    { name: 'no network uid', from: '# network-uid', to: '# network', error: /no comment "# network-uid:"/ },
    {
      name: 'an unknown guard mode',
      from: 'connections {',
      to: '# guard-mode: enforce\nconnections {',
      error: /cannot be the value of "guard-mode"/,
    },
    { name: 'a time that is none', from: '2026-11-24T11', to: '2026-13-24T11', error: /loaded-at/ },
    {
      name: 'an unclosed section',
      from: /\}\n$/,
      to: '',
      error: /^line 3: section "connections" is not closed/,
    },
    { name: 'a brace too many', from: /$/, to: '}\n', error: /a closing brace too many/ },
    {
      name: 'a second file behind',
      from: /$/,
      to: 'secrets {\n}\n',
      error: /section "secrets" does not belong here/,
    },
    { name: 'a carriage return', from: 'mobike = yes', to: 'mobike = yes\r', error: /^line 10: a character/ },
    {
      name: 'an escape',
      from: '"CN=ipsec-controller-0"',
      to: '"CN=ipsec-controller-0\\n"',
      error: /neither/,
    },
    { name: 'nothing', from: /[\s\S]*/, to: '', error: /no section "connections"/ },
  ];
  for (const { name, from, to, error } of cases)
    it(`refuses ${name}`, () => {
      const changed = TEXT.replace(from, to);
      expect(changed).not.to.equal(TEXT);
      expect(parseConfText(changed)).to.have.property('error').that.matches(error);
    });
});
