// Everything that can go wrong (table.ts) is seen within 30 s in each place where a person looks, and so is its end. One lab for all
// faults, one after the other; what was seen is kept for the page when FAULTS_SEEN names a file.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { poll } from '../lab/scene.ts';
import { ACTS, type Act } from './acts.ts';
import { isNone, type Fault, type Seen, type SignName } from './fault.ts';
import { openFaultScene, type FaultScene } from './scene.ts';
import { screensOf } from './screens.ts';
import { isGood, isQuiet, looks, metricValue, recoveryText, type Before, type Look } from './signs.ts';
import { FAULTS } from './table.ts';

/** The product's own bound. */
const SEEN_MS = 30_000;
/** A flow that asked in vain is kept by the kernel from asking again for 47 s, and by the agent's pauses for up to a minute. */
const MENDED_MS = 150_000;
const PAUSE_MS = 250;

const isQuick = process.env['MATRIX_ROWS'] === 'quick';

describe('faults', function () {
  this.timeout(300_000);
  let scene: FaultScene;

  before(async function () {
    this.timeout(240_000);
    scene = await openFaultScene();
  });
  after(async () => scene.close());

  for (const fault of FAULTS.filter(({ quick = false }) => quick || !isQuick)) {
    const act = ACTS[fault.name];
    if (act === undefined) it.skip(`${fault.name}: ${fault.lab}`);
    else it(fault.name, () => run(scene, fault, act));
  }
});

async function run(scene: FaultScene, fault: Fault, act: Act): Promise<void> {
  await poll('the policy is in force', () => isGood(scene), Boolean, MENDED_MS);
  const { event } = fault.signs;
  if (!isNone(event)) await poll('no event of this kind is fresh', () => isQuiet(scene, event), Boolean);
  const wanted = looks(fault.signs);
  const before: Before = { atMs: Date.now(), metric: await metricValue(scene, fault.signs.metric) };
  for (const [name, look] of Object.entries(wanted))
    expect(await look(scene, before), `${name}, before the fault`).to.equal(undefined);

  if (act.asks) await scene.ask();
  let found: Found;
  let screens: Seen['screens'];
  let mendedAtMs: number;
  try {
    await act.make(scene);
    found = await waitForAll(scene, wanted, before, performance.now());
    if (fault.isShown) screens = await screensOf(scene);
  } finally {
    mendedAtMs = Date.now();
    await act.mend(scene);
  }
  const recovered = await waitForRecovery(scene, fault, { mendedAtMs, wasSaid: 'event' in found.seconds });
  scene.stopAsking();
  const seen: Seen = { seconds: found.seconds, recovered, text: found.text, ...(screens && { screens }) };
  console.log(`      ${JSON.stringify({ seconds: seen.seconds, recovered })}`);
  keep(fault.name, seen);
  const missing = Object.keys(wanted).filter((name) => !(name in found.seconds));
  expect(missing, `not seen within ${SEEN_MS / 1000} s`).to.deep.equal([]);
}

type Found = Pick<Seen, 'seconds' | 'text'>;

/** All signs that are there in time. It is counted from when the fault was complete: to make it takes seconds in the guest. */
async function waitForAll(
  scene: FaultScene,
  wanted: Partial<Record<SignName, Look>>,
  before: Before,
  doneAtMs: number,
): Promise<Found> {
  const seconds: Partial<Record<SignName, number>> = {};
  const text: Partial<Record<SignName, string>> = {};
  const wait = async (name: SignName, look: Look): Promise<void> => {
    while (performance.now() - doneAtMs < SEEN_MS) {
      const said = await look(scene, before);
      if (said !== undefined) {
        seconds[name] = Math.round((performance.now() - doneAtMs) / 100) / 10;
        text[name] = said;
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  await Promise.all(Object.entries(wanted).map(([name, look]) => wait(name as SignName, look)));
  return { seconds, text };
}

async function waitForRecovery(
  scene: FaultScene,
  { signs: { condition, event } }: Fault,
  { mendedAtMs, wasSaid }: { readonly mendedAtMs: number; readonly wasSaid: boolean },
): Promise<Seen['recovered']> {
  const since = (): number => Math.round((Date.now() - mendedAtMs) / 100) / 10;
  const good = async (): Promise<number> => {
    await poll('the policy is in force again', () => isGood(scene), Boolean, MENDED_MS);
    return since();
  };
  const said = async (): Promise<number | undefined> => {
    if (isNone(event) || event.isOnce === true || !wasSaid) return undefined;
    await poll('an event says so', () => recoveryText(scene, event, mendedAtMs), Boolean, MENDED_MS);
    return since();
  };
  const [conditionSeconds, eventSeconds] = await Promise.all([good(), said()]);
  return {
    ...(isNone(condition) ? {} : { condition: conditionSeconds }),
    ...(eventSeconds === undefined ? {} : { event: eventSeconds }),
  };
}

/** Of one run or several: each fault has its last. */
function keep(name: string, seen: Seen): void {
  const file = process.env['FAULTS_SEEN'];
  if (file === undefined) return;
  const all = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, Seen>) : {};
  writeFileSync(file, `${JSON.stringify({ ...all, [name]: seen }, undefined, 2)}\n`);
}
