// What happened to a host's SAs and policies in the kernel while a test looked on: `ip xfrm monitor`, between two marks that
// make sure that nothing before or after is counted and nothing between is missed.
import type { Places } from './places.ts';
import { HOST_NAMES, type LabHost } from './topology.ts';

export interface XfrmMonitor {
  /** One text an event, in order: what was added, changed, deleted or asked for. The platform's and ours. */
  stop(): Promise<readonly string[]>;
}

/** Addresses of documentation (RFC 5737): no traffic of the lab meets a policy between them. */
const START = '192.0.2.1';
const END = '192.0.2.2';

/** Resolves when every event from now on is seen. */
export async function watchXfrm(lab: Pick<Places, 'run' | 'spawn'>, host: LabHost): Promise<XfrmMonitor> {
  const monitor = lab.spawn(host, ['ip', 'xfrm', 'monitor', 'nokeys', 'SA', 'policy', 'acquire', 'expire']);
  const mark = (address: string): Promise<string> =>
    lab.run(host, ['bash', '-c', `${policy('add', address)} && ${policy('delete', address)}`]);
  // It does not say when it listens, so it is shown something until it sees it.
  while (!monitor.output().stdout.includes(START)) await mark(START);
  return {
    stop: async () => {
      await mark(END);
      await monitor.waitFor(new RegExp(`Deleted src ${END}`));
      monitor.kill();
      const { stdout } = await monitor.wait();
      return stdout
        .split(/\n(?=\S)/)
        .map((event) => event.trim())
        .filter((event) => event !== '' && !event.includes(START) && !event.includes(END));
    },
  };
}

/** The same on all hosts; `stop` gives events as `host: event`. */
export async function watchXfrmEverywhere(lab: Pick<Places, 'run' | 'spawn'>): Promise<XfrmMonitor> {
  const monitors = await Promise.all(HOST_NAMES.map((host) => watchXfrm(lab, host)));
  return {
    stop: async () => {
      const events = await Promise.all(monitors.map((monitor) => monitor.stop()));
      return HOST_NAMES.flatMap((host, index) => (events[index] ?? []).map((event) => `${host}: ${event}`));
    },
  };
}

function policy(action: 'add' | 'delete', address: string): string {
  return `ip xfrm policy ${action} src ${address} dst ${address} dir out`;
}
