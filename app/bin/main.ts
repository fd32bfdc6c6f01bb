// One program: `manager`, `agent` and `plan`. Reads settings, wires, runs until a signal; decides nothing.
import { readFile } from 'node:fs/promises';
import { runAgent } from '../agent/run-agent.ts';
import { runManager } from '../manager/run-manager.ts';
import { isWorldError } from '../runtime/errors.ts';
import { createLog } from '../runtime/log.ts';
import { readSettings } from '../runtime/settings.ts';
import { dieOfBug, untilSignal } from '../runtime/shutdown.ts';
import { planFromDump } from './plan-command.ts';

const USAGE = `usage: ipsec-policy-operator COMMAND
  manager        writes shared facts from policies; one of several leads
  agent          keeps charon of this host as the facts say
  plan FILE      a dump of the cluster (YAML) in, what each host would load out; offline
`;

async function run(program: 'manager' | 'agent'): Promise<void> {
  const settings = readSettings(program, process.env);
  const log = createLog(settings.logLevel, {
    program,
    ...(program === 'agent' ? { host: settings.nodeName } : {}),
  });
  const onBug = (error: unknown): void => {
    if (isWorldError(error)) {
      log.error({ reason: error.message }, 'cannot go on');
      process.exit(1);
    }
    dieOfBug(log, error);
  };
  process.on('uncaughtException', onBug);
  process.on('unhandledRejection', onBug);
  const stop = await (program === 'agent' ? runAgent : runManager)({ settings, log, onBug });
  const signal = await untilSignal();
  log.info({ signal }, 'stopping');
  await stop();
}

async function main(args: readonly string[]): Promise<number> {
  const [command, file] = args;
  switch (command) {
    case 'manager':
    case 'agent':
      await run(command);
      return 0;
    case 'plan':
      if (file === undefined || args.length !== 2) break;
      process.stdout.write(planFromDump(await readFile(file === '-' ? '/dev/stdin' : file, 'utf8')));
      return 0;
    default:
  }
  process.stderr.write(USAGE);
  return 64;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!isWorldError(error)) throw error;
  process.stderr.write(`error: ${error.message}\n`);
  process.exitCode = 1;
}
