// What of an application is still there when it should be gone: any object of any kind in the API, and on the hosts our file, our
// table, our connections in charon and policies for pods in the kernel.
import { kubectl } from '../../support/service-accounts.ts';
import type { Lab } from './lab.ts';
import { HOST_NAMES } from './topology.ts';

/**
 * Every object that can be listed, as `<kind> <namespace>/<name>`, but events: they tell what happened and go by themselves after an
 * hour.
 */
export async function everyObject(lab: Lab): Promise<ReadonlySet<string>> {
  const kinds = (
    await kubectl(lab.cluster, ['api-resources', '--verbs=list', '--output=name', '--cached=false'])
  )
    .split('\n')
    .filter((kind) => kind !== '' && !kind.startsWith('events'));
  const template = '{{range .items}}{{.kind}} {{.metadata.namespace}}/{{.metadata.name}}{{"\\n"}}{{end}}';
  const listed = await kubectl(lab.cluster, [
    ...['get', kinds.join(','), '--all-namespaces', '--output', `go-template=${template}`],
  ]);
  return new Set(listed.split('\n').filter((line) => line !== ''));
}

/** What the hosts still have of ours, a line each. */
export async function leftOnHosts(lab: Lab): Promise<readonly string[]> {
  const found = await Promise.all(
    HOST_NAMES.map(async (host) => {
      const [file, tables, connections, policies] = await Promise.all([
        lab.exec(host, ['ls', '/etc/swanctl/conf.d/']),
        lab.run(host, ['nft', 'list', 'tables']),
        lab.swanctl(host, '--list-conns'),
        lab.run(host, ['ip', 'xfrm', 'policy', 'list']),
      ]);
      return [
        ...lines(file.stdout),
        ...lines(tables).filter((line) => line.includes('ipsec')),
        ...lines(connections).filter((line) => line.startsWith('k8s-node-')),
        ...lines(policies).filter((line) => line.startsWith('src 172.16.')),
      ].map((line) => `${host}: ${line}`);
    }),
  );
  return found.flat();
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
