// The chart as helm 3 and helm 4 render it: the situations of test/golden/chart as reviewed, what is refused, and what must hold
// in every one. `UPDATE_GOLDEN=1 npx mocha test/unit/packaging/chart.test.ts` rewrites the golden files.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { chartValues, environment, PROGRAMS, type ChartValue } from '../../../scripts/chart-values.ts';
import { generatedFiles } from '../../../scripts/generate-chart.ts';
import {
  CHART,
  helmBinary,
  MAJORS,
  renderedObjects,
  run,
  template,
  type Rendered,
} from '../../support/helm.ts';

const GOLDEN = join(import.meta.dirname, '../../golden/chart');
const isUpdate = process.env['UPDATE_GOLDEN'] === '1';

interface Container {
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly securityContext: {
    readonly capabilities: { readonly drop: readonly string[]; readonly add?: readonly string[] };
    readonly readOnlyRootFilesystem: boolean;
    readonly allowPrivilegeEscalation: boolean;
  };
}

interface PodSpec {
  readonly containers: readonly Container[];
  readonly hostNetwork?: boolean;
  readonly securityContext: {
    readonly runAsNonRoot?: boolean;
    readonly seccompProfile: { readonly type: string };
  };
  readonly volumes?: readonly { readonly hostPath?: { readonly path: string; readonly type: string } }[];
}

function podOf(object: Rendered): PodSpec | undefined {
  return (object.spec as { template?: { spec?: PodSpec } } | undefined)?.template?.spec;
}

function containerOf(objects: readonly Rendered[], kind: string): Container {
  const container = objects
    .filter((object) => object.kind === kind)
    .flatMap((object) => podOf(object)?.containers ?? [])[0];
  if (container === undefined) throw new Error(`no ${kind}`);
  return container;
}

/** Without the CRDs, which are files of their own and not templates. */
function withoutCrds(rendered: string): string {
  return rendered
    .split(/^---\n/m)
    .filter((document) => document.trim() !== '' && !document.includes('kind: CustomResourceDefinition'))
    .join('---\n');
}

describe('chart', function () {
  this.timeout(120_000);

  it('has the generated files that belong to the settings of today', () => {
    for (const [path, text] of generatedFiles())
      expect(readFileSync(join(CHART, path), 'utf8'), `run node scripts/generate-chart.ts: ${path}`).to.equal(
        text,
      );
  });

  for (const major of MAJORS)
    it(`is accepted by helm ${major}`, async () => {
      const { exitCode, stdout, stderr } = await run(helmBinary(major), ['lint', '--strict', CHART]);
      expect(exitCode, stdout + stderr).to.equal(0);
      expect(stdout).not.to.contain('[WARNING]');
    });

  for (const situation of readdirSync(GOLDEN).sort())
    for (const major of MAJORS)
      it(`${situation} is as reviewed, by helm ${major}`, async () => {
        const values = join(GOLDEN, situation, 'values.yaml');
        const path = join(GOLDEN, situation, 'rendered.yaml');
        const { exitCode, stdout, stderr } = await template({ major, args: ['--values', values] });
        expect(exitCode, stderr).to.equal(0);
        const rendered = withoutCrds(stdout);
        if (isUpdate) writeFileSync(path, rendered);
        expect(rendered).to.equal(readFileSync(path, 'utf8'));
      });

  it('has no admission policy where the cluster has none', async () => {
    const objects = await renderedObjects({ kubeVersion: '1.29.2', hasAdmissionPolicies: false });
    expect(objects.map(({ kind }) => kind)).not.to.include('ValidatingAdmissionPolicy');
    expect(objects.map(({ kind }) => kind)).to.include('DaemonSet');
  });

  describe('refuses', () => {
    const cases: readonly { readonly args: readonly string[]; readonly says: string | RegExp }[] = [
      { args: ['--set', 'managr.replicas=2'], says: 'managr' },
      { args: ['--set', 'manager.settings.guardmode=off'], says: 'guardmode' },
      { args: ['--set', 'agent.image.digest=sha256:00'], says: 'digest' },
      { args: ['--set', 'manager.replicas=3'], says: 'replicas' },
      { args: ['--set', 'manager.replicas=0'], says: 'replicas' },
      { args: ['--set-string', 'manager.replicas=2'], says: 'replicas' },
      { args: ['--set', 'manager.settings.guardMode=sometimes'], says: 'guardMode' },
      { args: ['--set', 'manager.settings.stageWaitSeconds=soon'], says: 'stageWaitSeconds' },
      { args: ['--set', 'agent.settings.healthPort=0'], says: 'healthPort' },
      { args: ['--set', 'agent.settings.viciSocket=charon.vici'], says: 'viciSocket' },
      { args: ['--set', 'agent.settings.confFile=/k8s-nodes.conf'], says: 'confFile' },
      { args: ['--set', 'agent.image.tag=null'], says: 'tag' },
      { args: ['--set-string', 'agent.image.tag='], says: 'tag' },
      { args: ['--set-json', 'agent.image.tag=1.0'], says: 'tag' },
      { args: ['--set', 'agent.resources.limits.memory=lots'], says: 'memory' },
      { args: ['--set', 'app\\.starlingx\\.io/component=control'], says: 'component' },
      { args: ['--kube-version', '1.28.4'], says: '1.29' },
    ];
    for (const { args, says } of cases)
      for (const major of MAJORS)
        it(`${args.slice(1).join(' ')}, helm ${major}`, async () => {
          const { exitCode, stderr } = await template({ major, args });
          expect(exitCode).not.to.equal(0);
          expect(stderr).to.match(new RegExp(says));
        });
  });

  describe('settings', () => {
    const texts: Readonly<Record<string, string>> = {
      ikeProposal: 'aes256-sha384-ecp384',
      espProposal: 'aes256gcm16',
      caId: 'CN=system-local-ca',
      healthHost: '::',
      viciSocket: '/var/run/strongswan/other.vici',
      confFile: '/etc/strongswan/conf.d/other.conf',
      localInterfaces: 'veth*',
    };
    const otherThanDefault = ({ path, default: own, schema }: ChartValue): unknown => {
      const choices = schema['enum'];
      if (Array.isArray(choices)) return choices.find((choice) => choice !== own);
      if (typeof own === 'number') return own + 1;
      const text = texts[path.at(-1) ?? ''];
      if (text === undefined) throw new Error(`say in this test what else ${path.join('.')} could be`);
      return text;
    };

    for (const program of PROGRAMS)
      it(`of the ${program} all reach its environment`, async () => {
        const values = chartValues().filter(({ path }) => path[0] === program && path[1] === 'settings');
        const wanted = values.map((value) => [value, otherThanDefault(value)] as const);
        const args = wanted.flatMap(([{ path }, value]) => [
          typeof value === 'number' ? '--set' : '--set-string',
          `${path.join('.')}=${String(value)}`,
        ]);
        const kind = program === 'agent' ? 'DaemonSet' : 'Deployment';
        const { env } = containerOf(await renderedObjects({ args }), kind);
        expect(env.map(({ name }) => name)).to.deep.equal(environment(program).map(({ env: name }) => name));
        const given = env.flatMap(({ value }) => value ?? []);
        expect(given).to.deep.equal(
          wanted.map(([{ path }, value]) =>
            path.at(-1) === 'viciSocket' ? '/host/run/other.vici' : String(value),
          ),
        );
      });

    it('of withdraw are those of the manager', async () => {
      const objects = await renderedObjects({ args: ['--set', 'manager.settings.guardMode=observe'] });
      expect(containerOf(objects, 'Job').env).to.deep.equal(containerOf(objects, 'Deployment').env);
    });
  });

  describe('in every pod', () => {
    let objects: readonly Rendered[];
    let pods: readonly PodSpec[];
    before(async () => {
      objects = await renderedObjects();
      pods = objects.flatMap((object) => podOf(object) ?? []);
    });

    it('nothing can be written, gained or called that is not said', () => {
      expect(pods).to.have.length(3);
      for (const pod of pods) {
        expect(pod.securityContext.seccompProfile.type).to.equal('RuntimeDefault');
        for (const { securityContext } of pod.containers) {
          expect(securityContext.readOnlyRootFilesystem).to.equal(true);
          expect(securityContext.allowPrivilegeEscalation).to.equal(false);
          expect(securityContext.capabilities.drop).to.deep.equal(['ALL']);
        }
      }
    });

    it('the agent alone is root, on the host’s network, and has NET_ADMIN and no more', () => {
      const [agents, others] = [true, false].map((isAgent) =>
        pods.filter(({ hostNetwork = false }) => hostNetwork === isAgent),
      );
      expect(
        agents?.flatMap(({ containers }) => containers[0]?.securityContext.capabilities.add),
      ).to.deep.equal(['NET_ADMIN']);
      for (const { securityContext, containers, volumes = [] } of others ?? []) {
        expect(securityContext.runAsNonRoot).to.equal(true);
        expect(containers[0]?.securityContext.capabilities).not.to.have.property('add');
        expect(volumes.filter(({ hostPath }) => hostPath !== undefined)).to.deep.equal([]);
      }
    });

    it('charon’s socket is mounted by its folder', () => {
      const paths = pods.flatMap(({ volumes = [] }) => volumes.flatMap(({ hostPath }) => hostPath ?? []));
      expect(paths).to.deep.equal([
        { path: '/var/run', type: 'Directory' },
        { path: '/etc/swanctl/conf.d', type: 'Directory' },
      ]);
    });

    it('hooks are before the deletion only', () => {
      const hooks = objects.flatMap(({ metadata }) => metadata.annotations?.['helm.sh/hook'] ?? []);
      expect(hooks).to.deep.equal(['pre-delete']);
    });

    it('no right is a wildcard, and none is about Secrets or Pods', () => {
      const rules = objects.flatMap(
        (object) =>
          (object as { rules?: readonly Readonly<Record<string, readonly string[]>>[] }).rules ?? [],
      );
      expect(rules).to.have.length.above(10);
      const words = rules.flatMap(({ apiGroups = [], resources = [], verbs = [] }) => [
        ...apiGroups,
        ...resources,
        ...verbs,
      ]);
      expect(words).not.to.include.oneOf(['*', 'secrets', 'pods', 'configmaps', 'escalate', 'impersonate']);
    });
  });
});
