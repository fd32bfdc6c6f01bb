// One program: `manager`, `agent`, `withdraw`, and commands for people. Reads settings, wires, runs until a signal; decides nothing.
import { runAgent } from '../agent/run-agent.ts';
import { runManager } from '../manager/run-manager.ts';
import { withdraw } from '../manager/withdraw.ts';
import { systemClock } from '../runtime/clock.ts';
import { describeError, isWorldError } from '../runtime/errors.ts';
import { createLog } from '../runtime/log.ts';
import { readSettings } from '../runtime/settings.ts';
import { settingsHelp } from '../runtime/settings-text.ts';
import { dieOfBug, untilSignal } from '../runtime/shutdown.ts';
import { watchOutputs } from './outputs.ts';
import { FOR_PEOPLE_USAGE, isForPeople, runForPeople } from './run-for-people.ts';
import { runPlan } from './run-plan.ts';

const USAGE = `usage: ipsec-policy-operator COMMAND
  manager        writes shared facts from policies; one of several leads
  agent          keeps charon of this host as the facts say
  withdraw       takes all policies and all protection away, before the application is removed; always ends well
  plan FILE      a dump of the cluster (YAML, - for stdin) in, what each host would load out; offline. Ends with 0 when all that
                 is asked for would be protected, 1 when not (lines with # say why), 66 when FILE is no dump of a cluster
${FOR_PEOPLE_USAGE}  --help         this text and the environment variables
`;

async function run(program: 'manager' | 'agent'): Promise<void> {
  const settings = readSettings(program, process.env);
  const log = createLog(settings.logLevel, {
    program,
    ...(program === 'agent' ? { host: settings.nodeName } : {}),
  });
  const onBug = (error: unknown): void => {
    if (isWorldError(error)) {
      log.error({ reason: describeError(error) }, 'cannot go on');
      process.exit(1);
    }
    dieOfBug(log, error);
  };
  process.on('uncaughtException', onBug);
  process.on('unhandledRejection', onBug);
  // Listened for before anything is started: as the first process of a container we would never see an earlier one.
  const told = untilSignal();
  const stop = await (program === 'agent' ? runAgent : runManager)({ settings, log, onBug });
  const signal = await told;
  log.info({ signal }, 'stopping');
  await stop();
}

/** Says what went wrong and gives no error: a hook that fails would stop the removal of the application. */
async function runWithdraw(): Promise<void> {
  const log = createLog('info', { program: 'withdraw' });
  const onFailure = (error: unknown): never => {
    const failure = isWorldError(error) ? { reason: describeError(error) } : { err: error };
    log.error(failure, 'cannot withdraw; hosts may keep what they have');
    process.exit(0);
  };
  process.on('uncaughtException', onFailure);
  process.on('unhandledRejection', onFailure);
  try {
    await withdraw({ settings: readSettings('manager', process.env), log, clock: systemClock });
  } catch (error) {
    onFailure(error);
  }
}

async function main(args: readonly string[]): Promise<number> {
  const [command, file] = args;
  const isAlone = args.length === 1;
  switch (command) {
    case 'manager':
    case 'agent':
      if (!isAlone) break;
      await run(command);
      return 0;
    case 'withdraw':
      if (!isAlone) break;
      await runWithdraw();
      return 0;
    case 'plan':
      if (file === undefined || args.length !== 2) break;
      return runPlan(file);
    case '--help':
    case '-h':
    case 'help':
      process.stdout.write(`${USAGE}\n${settingsHelp()}`);
      return 0;
    default:
  }
  process.stderr.write(USAGE);
  return 64;
}

watchOutputs([process.stdout, process.stderr], (reason) => {
  process.stderr.write(`error: ${reason}\n`);
  process.exit(1);
});
try {
  const [command, ...words] = process.argv.slice(2);
  process.exitCode = await (isForPeople(command)
    ? runForPeople(command, words)
    : main(process.argv.slice(2)));
} catch (error) {
  if (!isWorldError(error)) throw error;
  process.stderr.write(`error: ${describeError(error)}\n`);
  // At once: a port may be open already.
  process.exit(1);
}
