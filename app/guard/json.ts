// What `nft -j` prints, taken apart carefully: everything is unknown until looked at. What it means: read-back.ts, counters.ts.

/** One object of nft's list: its kind (`table`, `chain`, `rule`, `set`, `counter`) and its fields. */
export interface NftObject {
  readonly kind: string;
  readonly fields: Fields;
}

export type Fields = Readonly<Record<string, unknown>>;

/** The list in nft's answer, or undefined when it is anything else than nft's JSON. */
export function parseNftJson(text: string): NftObject[] | undefined {
  const list = asFields(parse(text))?.['nftables'];
  if (!Array.isArray(list)) return undefined;
  return list.flatMap((item: unknown) =>
    Object.entries(asFields(item) ?? {}).map(([kind, fields]) => ({ kind, fields: asFields(fields) ?? {} })),
  );
}

export function asFields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function asText(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
