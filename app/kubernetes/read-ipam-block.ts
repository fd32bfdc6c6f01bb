// Calico's IPAMBlock (crd.projectcalico.org/v1; fields as in libcalico-go lib/backend/model/block.go): whose block it
// is, and which of its addresses pods of other hosts have borrowed.
import { Address4, Address6 } from 'ip-address';
import type { HostName } from '../domain/facts.ts';
import { familyOf, networkAddress, type Address, type Prefix } from '../domain/ip.ts';
import type { IpamBlock } from '../domain/world.ts';
import {
  INTEGER,
  listOf,
  makeReader,
  objectOf,
  optional,
  TEXT,
  TEXT_MAP,
  toAddress,
  toHostName,
  toPrefix,
} from './schema.ts';
import type { Reader } from './schema.ts';

interface Raw {
  readonly spec: {
    readonly cidr: string;
    readonly deleted?: boolean | null;
    /** `host:<node>`; absent: nobody's; `virtual:...`: not a host's. */
    readonly affinity?: string | null;
    /** For each address of the block null, or an index into `attributes`. */
    readonly allocations: readonly (number | null)[];
    readonly attributes: readonly {
      readonly secondary?: Readonly<Record<string, string>> | null;
    }[];
  };
}

/** A block that is marked as deleted is ignored. */
export function ipamBlockReader(): Reader<IpamBlock> {
  const attribute = objectOf({ secondary: optional(TEXT_MAP) }, []);
  const spec = objectOf(
    {
      cidr: TEXT,
      deleted: optional({ type: 'boolean' }),
      affinity: optional(TEXT),
      allocations: listOf(optional(INTEGER)),
      attributes: listOf(attribute),
    },
    ['cidr', 'allocations', 'attributes'],
  );
  return makeReader<Raw, IpamBlock>(objectOf({ spec }, ['spec']), ({ spec: block }) => {
    if (block.deleted === true) return undefined;
    const prefix = toPrefix(block.cidr);
    const host = affineHost(block.affinity);
    const borrowed = borrowedAddresses(block, prefix, host);
    return host === undefined ? { prefix, borrowed } : { prefix, host, borrowed };
  });
}

function affineHost(affinity: string | null | undefined): HostName | undefined {
  return affinity?.startsWith('host:') === true ? toHostName(affinity.slice('host:'.length)) : undefined;
}

/** Allocations of a node other than the block's own. An allocation without a node (reserved addresses) is nobody's. */
function borrowedAddresses(
  block: Raw['spec'],
  prefix: Prefix,
  owner: HostName | undefined,
): IpamBlock['borrowed'] {
  return block.allocations.flatMap((attributeIndex, ordinal) => {
    const node = attributeIndex === null ? undefined : block.attributes[attributeIndex]?.secondary?.['node'];
    if (node === undefined || node === owner) return [];
    return [{ address: nthAddress(prefix, ordinal), host: toHostName(node) }];
  });
}

/** The address `ordinal` places after the first of the block. */
function nthAddress(prefix: Prefix, ordinal: number): Address {
  const first = networkAddress(prefix);
  const nth =
    familyOf(first) === 4
      ? Address4.fromBigInt(new Address4(first).bigInt() + BigInt(ordinal)).correctForm()
      : Address6.fromBigInt(new Address6(first).bigInt() + BigInt(ordinal)).correctForm();
  return toAddress(nth);
}
