// `swanctl --list-sas --raw` is for programs, but the plain listing is what users read: this reads that.
import type { Lab } from './lab.ts';
import type { LabHost } from './topology.ts';

export interface ChildSaText {
  readonly name: string;
  readonly uniqueId: string;
  readonly state: string;
  /** In, then out. */
  readonly spis: readonly string[];
  readonly packets: readonly number[];
}

export interface Sa {
  readonly connection: string;
  readonly uniqueId: string;
  readonly state: string;
  /** Of all children. */
  readonly spis: readonly string[];
  readonly children: readonly ChildSaText[];
}

export async function readSas(lab: Pick<Lab, 'swanctl'>, host: LabHost): Promise<readonly Sa[]> {
  const listing = await lab.swanctl(host, '--list-sas');
  return listing
    .split(/\n(?=\S)/)
    .map((text) => text.trimEnd())
    .filter((text) => text !== '')
    .map(readSa);
}

function readSa(text: string): Sa {
  const [, connection = '', uniqueId = '', state = ''] = /^(\S+): #(\d+), (\w+)/.exec(text) ?? [];
  if (connection === '') throw new Error(`no IKE_SA: ${text}`);
  const children = text
    .split(/\n(?= {2}\S+: #)/)
    .slice(1)
    .map(readChild);
  return { connection, uniqueId, state, children, spis: children.flatMap(({ spis }) => spis) };
}

function readChild(text: string): ChildSaText {
  const [, name = '', uniqueId = '', state = ''] = /^ {2}(\S+): #(\d+), reqid \d+, (\w+)/.exec(text) ?? [];
  const lines = [...text.matchAll(/^ {4}(?:in|out) +([0-9a-f]{8})(?:.*?(\d+) packets)?/gm)];
  return {
    name,
    uniqueId,
    state,
    spis: lines.map(([, spi = '']) => spi),
    packets: lines.map(([, , packets]) => Number(packets ?? 0)),
  };
}
