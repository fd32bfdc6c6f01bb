import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  createTable,
  guardRuleset,
  isOfRuleset,
  parseTableName,
  tableName,
} from '../../../app/guard/ruleset.ts';

const GOLDEN = join(import.meta.dirname, 'ruleset.golden.nft');

describe('createTable', () => {
  it('is the text in ruleset.golden.nft (UPDATE_GOLDEN=1 writes it)', () => {
    const ruleset = guardRuleset('cali*');
    const text = `${createTable(tableName(ruleset, 0), ruleset).join('\n')}\n`;
    if (process.env['UPDATE_GOLDEN'] !== undefined) writeFileSync(GOLDEN, text);
    expect(text).to.equal(readFileSync(GOLDEN, 'utf8'));
  });

  it('uses nothing that the platform or a small image lacks', () => {
    const ruleset = guardRuleset('cali*');
    const rules = ruleset.chains.flatMap((chain) => chain.rules.map((rule) => rule.text)).join('\n');
    expect(rules, 'NFT_XFRM').not.to.match(/\bipsec (in|out)\b/);
    expect(rules, 'names out of /etc/protocols').not.to.match(/l4proto (tcp|udp|sctp|icmp)/);
    expect(rules, 'modules of their own').not.to.match(/\b(fib|reject|log|limit|socket)\b/);
  });

  it('has comments that nft takes and that tell the rules of a chain apart', () => {
    for (const { name, rules } of guardRuleset('cali*').chains) {
      const comments = rules.map((rule) => rule.comment);
      for (const comment of comments) expect(comment.length, comment).to.be.lessThan(128);
      const isJump = (comment: string): boolean => comment.startsWith('an error quotes');
      const others = comments.filter((comment) => !isJump(comment));
      expect(new Set(others).size, name).to.equal(others.length);
    }
  });
});

describe('guardRuleset', () => {
  it('has another hash when the rules differ, and the same each time when they do not', () => {
    const ruleset = guardRuleset('cali*');
    expect(guardRuleset('cali*').hash).to.equal(ruleset.hash);
    expect(guardRuleset('veth*').hash).not.to.equal(ruleset.hash);
    expect(isOfRuleset(tableName(ruleset, 3), ruleset)).to.equal(true);
    expect(isOfRuleset(tableName(guardRuleset('veth*'), 0), ruleset)).to.equal(false);
  });

  for (const name of ['', '*', 'cali*x', 'ca li', 'cali"', 'a;b', 'sixteen-letters-', 'x\ny'])
    it(`refuses ${JSON.stringify(name)} as a name of interfaces`, () => {
      expect(() => guardRuleset(name)).to.throw('interfaces');
    });
});

describe('parseTableName', () => {
  for (const [name, isOurs] of [
    ['ipsec_policy_guard_0a1b2c3d_0', true],
    ['ipsec_policy_guard_0a1b2c3d_12', true],
    ['ipsec_policy_guard', false],
    ['ipsec_policy_guard_0a1b2c3d', false],
    ['ipsec_policy_guard_0a1b2c3d_0; flush ruleset', false],
    ['filter', false],
  ] as const)
    it(`${name} is ${isOurs ? 'ours' : "a stranger's"}`, () => {
      expect(parseTableName(name)).to.equal(isOurs ? name : undefined);
    });
});
