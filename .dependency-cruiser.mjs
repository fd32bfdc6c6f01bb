// Which room may know which. Each rule says, in its comment, where the code belongs instead.
const room = (name) => `^app/${name}/`;
const only = (name, allowed, comment) => ({
  name: `${name}-imports`,
  severity: 'error',
  comment,
  from: { path: room(name) },
  to: { path: '^app/', pathNot: [room(name), ...allowed.map(room)] },
});
const door = (name, to, except, comment) => ({
  name: `${name}-door`,
  severity: 'error',
  comment,
  from: { path: '^app/', pathNot: except },
  to: { path: to },
});

export default {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Two files that need each other are one file, or a third one is missing.',
      from: {},
      to: { circular: true },
    },
    only(
      'domain',
      [],
      'domain is pure: what needs a Kubernetes object, a VICI key or a file belongs in kubernetes/, swanctl/ or host/.',
    ),
    only(
      'swanctl',
      ['domain'],
      'swanctl turns domain values into strongSwan vocabulary; talking to charon belongs in vici/, files in host/.',
    ),
    only('guard', ['domain', 'runtime'], 'guard turns domain rows into nftables; loops belong in agent/.'),
    {
      name: 'vici-imports',
      severity: 'error',
      comment: 'vici is a protocol and knows nothing of ours but the tree type.',
      from: { path: room('vici') },
      to: { path: '^app/', pathNot: [room('vici'), '^app/swanctl/tree\\.ts$'] },
    },
    only(
      'kubernetes',
      ['domain', 'runtime'],
      'kubernetes reads and writes objects; decisions belong in domain/.',
    ),
    only('host', ['domain', 'swanctl', 'runtime'], 'host only reads and writes files.'),
    only('runtime', [], 'runtime knows nothing of our domain.'),
    only(
      'manager',
      ['domain', 'kubernetes', 'runtime'],
      'the manager never speaks to charon: that is the agent.',
    ),
    only(
      'agent',
      ['domain', 'swanctl', 'vici', 'guard', 'kubernetes', 'host', 'runtime'],
      'agent and manager share facts, never code paths.',
    ),
    only(
      'commands',
      ['domain', 'swanctl', 'vici', 'guard', 'kubernetes', 'host', 'runtime'],
      'a command reads and prints; what manager or agent do stays in their rooms, what both need belongs in domain/.',
    ),
    door(
      'kubernetes',
      'node_modules/@kubernetes/client-node',
      ['^app/kubernetes/'],
      'only app/kubernetes may import @kubernetes/client-node.',
    ),
    door(
      'handlebars',
      'node_modules/handlebars',
      ['^app/swanctl/conf-text\\.ts$'],
      'the conf file is rendered in swanctl/conf-text.ts.',
    ),
    door(
      'process',
      '^(node:)?child_process$',
      ['^app/guard/nft(-session)?\\.ts$'],
      'only guard/nft.ts and nft-session.ts run a program: nft.',
    ),
    door(
      'socket',
      '^(node:)?net$',
      ['^app/vici/session\\.ts$', '^app/runtime/'],
      'only vici/session.ts opens a socket.',
    ),
    door(
      'file',
      '^(node:)?fs(/promises)?$',
      [
        '^app/host/',
        '^app/runtime/',
        '^app/kubernetes/client\\.ts$',
        '^app/bin/',
        '^app/commands/bundle-command\\.ts$',
      ],
      'files are read and written in host/.',
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.mjs', '.json'] },
  },
};
