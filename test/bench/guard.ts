// What the guard costs with 10,000 endpoints: `node test/bench/guard.ts [endpoints]`, as root. JSON lines; counts are exact,
// times are this machine's. Everything happens in a network namespace that ends with this program.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { GuardRows } from '../../app/domain/host-config.ts';
import type { Address, Prefix } from '../../app/domain/ip.ts';
import { applyGuard, readGuard } from '../../app/guard/guard.ts';
import { nftProgram } from '../../app/guard/nft.ts';
import { planGuard, planTexts } from '../../app/guard/plan-guard.ts';
import { guardRuleset } from '../../app/guard/ruleset.ts';

const COUNT = Number(process.argv[2] ?? 10_000);
const ruleset = guardRuleset('cali*');
const namespace = spawn('setpriv', [
  ...['--pdeathsig', 'KILL', 'unshare', '--net', 'sh', '-c', 'echo ready; exec sleep infinity'],
]);
await once(namespace.stdout, 'data');
const nft = nftProgram({ command: ['nsenter', `--net=/proc/${namespace.pid ?? 0}/ns/net`, 'nft'] });

/** `count` endpoints from the `first` on, every second one of IPv6; all hold. */
function rows(first: number, count: number): GuardRows {
  const numbers = Array.from({ length: count }, (_, i) => first + i);
  return {
    endpoints: numbers.map((n) => ({
      address: (n % 2 === 0
        ? `172.16.${(n >> 8) & 255}.${n & 255}`
        : `fd00:172:16::${n.toString(16)}`) as Address,
      protocol: 'udp',
      port: 53,
      holdEgress: true,
      holdIngress: false,
    })),
    clusterIps: [],
    pools: ['172.16.0.0/16', 'fd00:172:16::/64'] as Prefix[],
  };
}

/** One pass as an agent makes it: read, plan, apply. */
async function pass(name: string, desired: GuardRows): Promise<void> {
  const start = performance.now();
  const actual = await readGuard(nft, ruleset);
  const read = performance.now();
  const texts = planTexts(planGuard({ mode: 'enforce', rows: desired, ruleset }, actual));
  const planned = performance.now();
  await applyGuard(nft, texts);
  const elements = texts.reduce((sum, text) => sum + (text.match(/ \. 17 \. /g)?.length ?? 0), 0);
  const report = {
    bench: 'guard',
    name,
    endpoints: desired.endpoints.length,
    transactions: texts.length,
    elements,
    readMs: Math.round(read - start),
    planMs: Math.round(planned - read),
    applyMs: Math.round(performance.now() - planned),
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

try {
  await pass('create', rows(0, COUNT));
  await pass('idle', rows(0, COUNT));
  await pass('one more', rows(0, COUNT + 1));
  await pass('one less', rows(0, COUNT));
  await pass('a tenth swapped', rows(COUNT / 10, COUNT));
  await pass('nothing left', rows(0, 0));
} finally {
  namespace.kill('SIGKILL');
}
