// Calico's kinds as far as we read them: the real CRDs' names and the fields' types, nothing more, so that an object
// that real Calico would refuse is refused here too.

const TEXT = { type: 'string' };
const YES_NO = { type: 'boolean' };
const NUMBER = { type: 'integer' };

export const CALICO_CRDS: readonly object[] = [
  calicoCrd('IPAMBlock', 'ipamblocks', ['allocations', 'attributes', 'cidr', 'unallocated'], {
    affinity: TEXT,
    allocations: { type: 'array', items: { ...NUMBER, nullable: true } },
    attributes: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          handle_id: TEXT,
          secondary: { type: 'object', additionalProperties: TEXT },
        },
      },
    },
    cidr: TEXT,
    deleted: YES_NO,
    sequenceNumber: { ...NUMBER, format: 'int64', default: 0 },
    strictAffinity: YES_NO,
    unallocated: { type: 'array', items: NUMBER },
  }),
  calicoCrd('BlockAffinity', 'blockaffinities', ['cidr', 'deleted', 'node', 'state'], {
    cidr: TEXT,
    deleted: TEXT,
    node: TEXT,
    state: TEXT,
    type: TEXT,
  }),
  calicoCrd('IPPool', 'ippools', ['cidr'], {
    allowedUses: { type: 'array', items: TEXT },
    blockSize: NUMBER,
    cidr: TEXT,
    disabled: YES_NO,
    ipipMode: TEXT,
    natOutgoing: YES_NO,
    nodeSelector: TEXT,
    vxlanMode: TEXT,
  }),
];

function calicoCrd(kind: string, plural: string, required: readonly string[], properties: object): object {
  return {
    metadata: { name: `${plural}.crd.projectcalico.org` },
    spec: {
      group: 'crd.projectcalico.org',
      scope: 'Cluster',
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                apiVersion: TEXT,
                kind: TEXT,
                metadata: { type: 'object' },
                spec: { type: 'object', required, properties },
              },
            },
          },
        },
      ],
    },
  };
}
