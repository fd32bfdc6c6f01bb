// The real kube-proxy on each host, in its default mode: cluster IPs as pods see them.
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { kubernetesBinary } from '../../support/control-plane.ts';
import type { GuestProcess } from './guest-process.ts';
import type { Places } from './places.ts';
import { HOST_NAMES, POD_POOLS, type LabHost } from './topology.ts';

export interface KubeProxies {
  /** Resolves when every host has rules for this cluster IP and port. */
  ready(clusterIp: string, port: number): Promise<void>;
}

/** Starts one on each host and does not wait. `kubeconfig` is for `system:kube-proxy`. */
export function startKubeProxies(places: Places, dir: string, kubeconfig: string): KubeProxies {
  // Debian's `iptables` speaks nftables, whose ip and ip6 families the guest's kernel lacks.
  const bin = join(dir, 'legacy-iptables');
  mkdirSync(bin);
  for (const family of ['iptables', 'ip6tables'])
    for (const ending of ['', '-save', '-restore'])
      symlinkSync('/usr/sbin/xtables-legacy-multi', join(bin, family + ending));
  const running = new Map<LabHost, GuestProcess>();
  for (const host of HOST_NAMES) {
    const argv = [
      kubernetesBinary('kube-proxy'),
      `--kubeconfig=${kubeconfig}`,
      `--hostname-override=${host}`,
      `--cluster-cidr=${POD_POOLS.join(',')}`,
      '--proxy-mode=iptables',
      '--conntrack-max-per-core=0',
      '--iptables-min-sync-period=100ms',
      '--healthz-bind-address=127.0.0.1:10256',
      '--metrics-bind-address=127.0.0.1:10249',
    ];
    const env = { PATH: `${bin}:${process.env['PATH'] ?? '/usr/sbin:/usr/bin'}`, GOMAXPROCS: '1' };
    running.set(host, places.spawn(host, argv, { env, logFile: join(dir, `kube-proxy-${host}.log`) }));
  }
  return {
    ready: async (clusterIp, port) => {
      const save = clusterIp.includes(':') ? 'ip6tables-legacy-save' : 'iptables-legacy-save';
      const rule = `-A KUBE-SERVICES -d ${clusterIp}/.*--dport ${port} .*-j KUBE-SVC`;
      const script = `until ${save} -t nat | grep -q -- '${rule}'; do sleep 0.1; done`;
      for (const host of HOST_NAMES) await places.run(host, ['bash', '-c', script], { timeoutMs: 60_000 });
    },
  };
}
