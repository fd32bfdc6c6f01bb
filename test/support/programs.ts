// Our own program as a child process, out of the sources: what integration tests and benchmarks start.
import { join } from 'node:path';
import { startChild, type Child } from './child.ts';
import type { NativeCharon } from './native-charon.ts';

const MAIN = join(import.meta.dirname, '../../app/bin/main.ts');

export interface ProgramOptions {
  readonly kubeconfig: string;
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Programs of one test share this machine's own network: a guard would be the machine's. */
const SHARED = { POD_NAMESPACE: 'kube-system', GUARD_MODE: 'off' } as const;

export function startManager({ kubeconfig, logFile, env = {} }: ProgramOptions): Child {
  return start('manager', logFile, { KUBECONFIG: kubeconfig, ...SHARED, ...env });
}

/** The command of the chart's pre-delete hook. */
export function startWithdraw({ kubeconfig, logFile, env = {} }: ProgramOptions): Child {
  return start('withdraw', logFile, { KUBECONFIG: kubeconfig, ...SHARED, ...env });
}

export function startAgent(
  host: { readonly name: string; readonly viciSocket: string; readonly confFile: string },
  { kubeconfig, logFile, env = {} }: ProgramOptions,
): Child {
  return start('agent', logFile, {
    KUBECONFIG: kubeconfig,
    NODE_NAME: host.name,
    VICI_SOCKET: host.viciSocket,
    CONF_FILE: host.confFile,
    ...env,
  });
}

/** With its files below `dir/<name>`, and quick to look again. */
export function startQuickAgent(
  name: string,
  {
    dir,
    charon,
    kubeconfig,
  }: { readonly dir: string; readonly charon: NativeCharon; readonly kubeconfig: string },
): Child {
  const host = { name, viciSocket: charon.path, confFile: join(dir, name, 'k8s-nodes.conf') };
  return startAgent(host, {
    kubeconfig,
    logFile: join(dir, `${name}.log`),
    env: { VERIFY_SECONDS: '1' },
  });
}

function start(program: string, logFile: string, env: Readonly<Record<string, string>>): Child {
  return startChild({
    command: process.execPath,
    args: [MAIN, program],
    logFile,
    env: { PATH: process.env['PATH'], HEALTH_HOST: '127.0.0.1', HEALTH_PORT: '0', ...env },
  });
}
