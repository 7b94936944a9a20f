/**
 * What an attack costs those who do nothing wrong: twenty harmless plans in a row, alone and then beside each attack. An
 * attack that holds slots is made twice: with as many slots as its executions take, and with one more, so that what is
 * left is CPU and not waiting. Goal: each of the twenty under 5 s. `BENCH_ATTACKS` is a part of
 * the names of those to be made; default: all.
 */
import { setMaxListeners } from 'node:events';
import { fileURLToPath } from 'node:url';
import { within } from '../shared/async/within.ts';
import { startTestStack, type TestStack } from '../test/harness/stack.ts';
import { ATTACKERS, ATTACKS, type Attack, abuserPlan } from './attacks/attacks.ts';
import { FLOODER } from './attacks/flooder.ts';
import { type Bench, median } from './harness.ts';

const HARMLESS = 20;
const MS_PER_S = 1_000;
/** An attack that holds up the harmless ones for so long has shown what it does. */
const PATIENCE_MS = 120_000;

/** Of one plan, in seconds. */
interface Times {
  readonly totalS: number;
  /** From scheduled to started: for a slot. */
  readonly waitingS: number;
}

const place = (name: string): string => fileURLToPath(new URL(`attacks/${name}`, import.meta.url));

const secondsBetween = (from = '', to = ''): number => (Date.parse(to) - Date.parse(from)) / MS_PER_S;

async function harmless(stack: TestStack, planId: string): Promise<Times> {
  const startMs = performance.now();
  await stack.submit(abuserPlan(planId, { abuse: 'nothing' }));
  const { settled, executions } = await within(PATIENCE_MS, stack.ended(planId), () => {
    throw new Error(`${planId} did not end within ${PATIENCE_MS / MS_PER_S} s`);
  });
  if (settled?.status !== 'succeeded') {
    throw new Error(`${planId} ended as ${settled?.status}: ${JSON.stringify(settled?.faults)}`);
  }
  const totalS = (performance.now() - startMs) / MS_PER_S;
  const [execution] = [...executions.values()];
  return { totalS, waitingS: secondsBetween(execution?.scheduledAt, execution?.startedAt) };
}

/** Twenty in a row, or as many as patience allows. */
async function harmlessRow(stack: TestStack, name: string): Promise<readonly Times[]> {
  const endMs = performance.now() + PATIENCE_MS;
  const times: Times[] = [];
  for (let n = 0; n < HARMLESS && performance.now() < endMs; n += 1) times.push(await harmless(stack, `${name}-${n}`));
  return times;
}

interface Row {
  readonly attack: string;
  readonly slots: number;
  readonly alone: readonly Times[];
  readonly beside: readonly Times[];
}

async function measure(attack: Attack, slots: number): Promise<Row> {
  const stack = await startTestStack({
    registry: place('registry'),
    processors: place('processors'),
    env: { ISOMORPH_SLOTS: String(slots), ISOMORPH_PRINCIPALS: FLOODER },
  });
  const ends = new AbortController();
  setMaxListeners(0, ends.signal);
  try {
    await harmless(stack, 'warm');
    const alone = await harmlessRow(stack, 'alone');
    const attacking = attack.run(stack, ends.signal);
    const beside = await Promise.race([
      harmlessRow(stack, 'beside'),
      attacking.then(() => Promise.reject(new Error(`the attack ended: ${attack.name}`))),
    ]);
    ends.abort();
    await attacking;
    return { attack: attack.name, slots, alone, beside };
  } finally {
    ends.abort();
    await stack.stop();
  }
}

const total = (times: readonly Times[]) => times.map(({ totalS }) => totalS);

function line({ attack, slots, alone, beside }: Row): string {
  const all = total(beside);
  const waited = Math.max(...beside.map(({ waitingS }) => waitingS));
  const figures = [median(total(alone)), median(all), Math.max(...all), waited].map((s) => s.toFixed(2).padStart(7));
  const each = all.map((s) => s.toFixed(1)).join(' ');
  return `${attack.padEnd(46)} ${String(slots).padStart(2)} ${figures.join('')}\n    ${each}`;
}

export const bench: Bench = async () => {
  const rows: Row[] = [];
  const asked = process.env.BENCH_ATTACKS ?? '';
  for (const attack of ATTACKS.filter(({ name }) => name.includes(asked))) {
    for (const slots of attack.holdsSlots ? [ATTACKERS, ATTACKERS + 1] : [ATTACKERS]) {
      const row = await measure(attack, slots);
      process.stderr.write(`${line(row)}\n`);
      rows.push(row);
    }
  }
  const ratio = ({ alone, beside }: Row) => median(total(alone)) / median(total(beside));
  const key = ({ attack, slots }: Row) => `${attack}, ${slots} slots`;
  return {
    ratios: Object.fromEntries(rows.map((row) => [key(row), ratio(row)])),
    figures: Object.fromEntries(rows.map((row) => [`${key(row)}: slowest_s`, Math.max(...total(row.beside))])),
    notes: [
      'attack, slots, seconds: alone, beside, slowest, longest wait for a slot; then each of them',
      ...rows.map(line),
    ],
  };
};
