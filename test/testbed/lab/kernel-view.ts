// What stands on a host, read from the kernel and from charon by the tools that an administrator has: policies and SAs of pods,
// elements of the guard's sets, children. As sorted texts without times and counters; what should stand is the test's to say.
import type { Lab } from './lab.ts';
import { readSas } from './sas.ts';
import type { LabHost } from './topology.ts';

type Run = Pick<Lab, 'run'>;

/** `out 172.16.43.0/26 172.16.192.100/32 udp dport 6001`: policies whose two ends are pods. */
export async function podPolicies(lab: Run, host: LabHost): Promise<readonly string[]> {
  return policyTexts(await lab.run(host, ['ip', 'xfrm', 'policy', 'list']));
}

/** The same out of any print of `ip xfrm`, one text for each policy in it. */
export function policyTexts(text: string): string[] {
  return text
    .split(/\n(?=\S)/)
    .flatMap((entry) => {
      const [, source = '', destination = '', selector = ''] =
        /src (\S+) dst (\S+) ?(.*?)\s*\n/.exec(entry) ?? [];
      const direction = /\n\s+(?:socket )?dir (\S+)|\n\s+.*\bdir (out|in|fwd)/.exec(entry)?.[1] ?? '';
      if (!isPods(source) || !isPods(destination) || direction === '') return [];
      const ports = /proto (\S+)(?: ([sd]port \d+))?/.exec(selector)?.slice(1).join(' ') ?? '';
      return [`${direction} ${source} ${destination} ${ports}`.trim()];
    })
    .sort();
}

/** SPIs of ESP between addresses of the cluster-host network: of both directions. Those that only wait for an SA are left out. */
export async function ourStates(lab: Run, host: LabHost): Promise<readonly string[]> {
  const text = await lab.run(host, ['ip', 'xfrm', 'state', 'list']);
  return text
    .split(/\n(?=\S)/)
    .filter((entry) => /^src (?:192\.168\.206\.|fd00:206::)/.test(entry))
    .map((entry) => /proto esp spi 0x([0-9a-f]{8})/.exec(entry)?.[1] ?? '')
    .filter((spi) => spi !== '' && spi !== '00000000')
    .sort();
}

/** `controller-0/udp_first_egress` of every CHILD_SA of ours, and all their SPIs. */
export async function ourChildSas(
  lab: Pick<Lab, 'swanctl'>,
  host: LabHost,
): Promise<{ readonly names: readonly string[]; readonly spis: readonly string[] }> {
  const sas = (await readSas(lab, host)).filter(({ connection }) => connection.startsWith('k8s-node-'));
  return {
    names: sas
      .flatMap(({ connection, children }) => children.map(({ name }) => `${connection}/${name}`))
      .sort(),
    spis: sas.flatMap(({ spis }) => spis).sort(),
  };
}

export interface GuardView {
  readonly tables: readonly string[];
  /** By set, `172.16.192.100 . 17 . 6001`. */
  readonly sets: Readonly<Record<string, readonly string[]>>;
}

/** All tables of the guard, their sets together. */
export async function guardView(lab: Run, host: LabHost): Promise<GuardView> {
  const listing = await nft<{ table?: { name: string } }>(lab, host, ['tables', 'inet']);
  const tables = listing.flatMap(({ table }) =>
    table?.name.startsWith('ipsec_policy_') ? [table.name] : [],
  );
  const sets: Record<string, string[]> = {};
  for (const table of tables)
    for (const { set } of await nft<{ set?: NftSet }>(lab, host, ['table', 'inet', table]))
      if (set !== undefined)
        sets[set.name] = [...(sets[set.name] ?? []), ...(set.elem ?? []).map(elementText)].sort();
  return { tables, sets };
}

interface NftSet {
  readonly name: string;
  readonly elem?: readonly NftElement[];
}

type NftElement =
  | string
  | { readonly elem: { readonly val: NftElement } }
  | { readonly concat: readonly (string | number)[] }
  | { readonly prefix: { readonly addr: string; readonly len: number } };

function elementText(element: NftElement): string {
  if (typeof element === 'string') return element;
  if ('elem' in element) return elementText(element.elem.val);
  if ('prefix' in element) return `${element.prefix.addr}/${element.prefix.len}`;
  return element.concat.join(' . ');
}

async function nft<T>(lab: Run, host: LabHost, words: readonly string[]): Promise<readonly T[]> {
  const text = await lab.run(host, ['nft', '--json', '--numeric', 'list', ...words]);
  return (JSON.parse(text) as { readonly nftables: readonly T[] }).nftables;
}

function isPods(prefix: string): boolean {
  return /^(?:172\.16\.|fd00:172:16:)/.test(prefix);
}
