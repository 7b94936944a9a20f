import type { NatsConnection } from '@nats-io/transport-node';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { LedgerReader } from '../../shared/fsck/ledger-reader.ts';
import type { Verdict } from '../../shared/ledger/verify.ts';
import { COMMANDS_STREAM } from '../../shared/wire/commands.ts';
import type { DeadLetter } from '../../shared/wire/dead.ts';
import { FACTS_STREAM } from '../../shared/wire/facts.ts';
import { LEDGER_STREAM } from '../../shared/wire/ledger.ts';
import { WORK_STREAM } from '../../shared/wire/work.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import type { Poison } from './garbled.ts';
import { commands, facts, ledgerMessages, namedCommands, workMessages } from './kinds.ts';
import { deadLetters, drained, isRefusal, publishAll, type Stored } from './poisoning.ts';

/** Each message is to be judged and its letter kept: what a flood is refused for is for limits/flood to show. */
const OUT_OF_THE_WAY = {
  ISOMORPH_MAX_LEDGER_BYTES: '4GiB',
  ISOMORPH_MAX_COMMANDS_BYTES: '1GiB',
  ISOMORPH_MAX_FACTS_BYTES: '1GiB',
  ISOMORPH_MAX_WORK_BYTES: '1GiB',
  ISOMORPH_MAX_DEAD_BYTES: '2GiB',
  ISOMORPH_MAX_DEAD_LETTERS_A_PRINCIPAL: '1000000',
  ISOMORPH_MAX_WAITING_COMMANDS_A_PRINCIPAL: '1000000',
  ISOMORPH_MAX_REFUSED_COMMANDS_PER_S_A_PRINCIPAL: '1000000',
  ISOMORPH_MAX_OPEN_PLANS_A_PRINCIPAL: '1000000',
  ISOMORPH_MAX_OPEN_PLANS: '1000000',
  ISOMORPH_MAX_REJECTED_BYTES_A_PRINCIPAL: '4GiB',
  ISOMORPH_MAX_REJECTED_BYTES: '4GiB',
};

const HARMLESS = 20;
const BATCH = 1_000;
const SHOWN = 5;
const BABBLERS = 10;

export interface Dose {
  /** Inputs at each door. */
  readonly countEach: number;
  readonly seed: number;
}

interface Door {
  readonly stream: string;
  readonly poison: fc.Arbitrary<Poison>;
  /** Facts, work, ledger and any name of a principal can be reached with a service's credentials only. */
  readonly from: (stack: TestStack) => NatsConnection;
}

const DOORS: readonly Door[] = [
  { stream: COMMANDS_STREAM, poison: commands, from: ({ client }) => client },
  { stream: COMMANDS_STREAM, poison: namedCommands, from: ({ core }) => core },
  { stream: FACTS_STREAM, poison: facts, from: ({ core }) => core },
  { stream: WORK_STREAM, poison: workMessages, from: ({ core }) => core },
  { stream: LEDGER_STREAM, poison: ledgerMessages, from: ({ core }) => core },
];

/** Twenty plans in a row, each of which must succeed whatever is published meanwhile. */
async function harmlessPlans(stack: TestStack): Promise<void> {
  for (let n = 0; n < HARMLESS; n++) {
    const id = `harmless-${n}`;
    await stack.submit(probePlan(id, { params: { value: n } }));
    const { settled } = await stack.ended(id);
    assert.is(settled?.status, 'succeeded', id);
  }
}

/** Plans whose processor writes what is nearly a report, or nothing like it. */
async function babblingPlans(stack: TestStack, { countEach, seed }: Dose): Promise<void> {
  const lines = Math.ceil(countEach / BABBLERS);
  for (let n = 0; n < BABBLERS; n++) {
    const id = `babbler-${n}`;
    await stack.submit(probePlan(id, { processor: 'test/babbler@1', params: { seed: seed + n, lines } }));
    const { settled } = await stack.ended(id);
    assert.is(settled?.status, 'succeeded', id);
  }
}

async function poisonDoor(stack: TestStack, door: Door, { countEach, seed }: Dose): Promise<Stored> {
  const connection = door.from(stack);
  const bySeq = new Map<number, Poison>();
  let refusedByServer = 0;
  // In batches: what is generated takes memory, and what is not yet published is nobody's.
  for (let done = 0; done < countEach; done += BATCH) {
    const poison = fc.sample(door.poison, { numRuns: Math.min(BATCH, countEach - done), seed: seed + done });
    const stored = await publishAll(connection, door.stream, poison);
    for (const [seq, one] of stored.bySeq) bySeq.set(seq, one);
    refusedByServer += stored.refusedByServer;
  }
  return { stream: door.stream, bySeq, refusedByServer };
}

/** The plan of a command that is none of those refused, as its body says. */
function planIn({ body }: Poison): string {
  const { plan_id: id } = JSON.parse(new TextDecoder().decode(body)) as { plan_id: string };
  return id;
}

const told = ({ subject, body }: Poison, seq: number, letter?: DeadLetter): string =>
  `${seq} ${subject} ${JSON.stringify(Buffer.from(body).toString('utf8').slice(0, 160))} ${JSON.stringify(letter?.fault)}`;

/** Those of a door that nobody answered for, in words. */
function unanswered(
  stored: Stored,
  letters: ReadonlyMap<string, DeadLetter>,
  isTaken: (one: Poison, seq: number) => boolean,
) {
  return [...stored.bySeq].flatMap(([seq, one]) => {
    const letter = letters.get(`${stored.stream} ${seq}`);
    const isAnswered = letter === undefined ? isTaken(one, seq) : isRefusal(letter);
    return isAnswered ? [] : [told(one, seq, letter)];
  });
}

function summary(doors: readonly Stored[], letters: ReadonlyMap<string, DeadLetter>): string {
  const lines = doors.map(({ stream, bySeq, refusedByServer }) => {
    const dead = [...bySeq.keys()].filter((seq) => letters.has(`${stream} ${seq}`)).length;
    return `${stream}: ${bySeq.size} stored, ${refusedByServer} refused by the server, ${dead} dead letters`;
  });
  return `${lines.join('\n')}\n`;
}

async function verdictOf(connection: NatsConnection): Promise<Verdict> {
  const reader = new LedgerReader(connection);
  await reader.skipTo(Number.MAX_SAFE_INTEGER);
  return reader.verifier.verdict();
}

/** @throws AssertionError with the first inputs that were not refused as they should be */
export async function poisonEveryDoor(dose: Dose): Promise<void> {
  const stack = await startTestStack({ env: OUT_OF_THE_WAY });
  try {
    const harmless = Promise.all([harmlessPlans(stack), babblingPlans(stack, dose)]);
    const doors: Stored[] = [];
    for (const door of DOORS) doors.push(await poisonDoor(stack, door, dose));
    await harmless;
    await drained(stack.core);
    const { plans, findings } = await verdictOf(stack.core);
    const phases = new Map(plans.map(({ planId, phase }) => [planId, phase]));
    const letters = await deadLetters(stack.core);
    process.stdout.write(summary(doors, letters));
    const flagged = new Set(findings.map(({ place }) => place));
    const faults = doors.flatMap((stored) =>
      unanswered(stored, letters, (one, seq) => {
        if (stored.stream === COMMANDS_STREAM) return phases.has(planIn(one));
        return stored.stream === LEDGER_STREAM && flagged.has(`message ${seq}`);
      }),
    );
    const more = faults.length > SHOWN ? `\nand ${faults.length - SHOWN} more` : '';
    assert.is(faults.length, 0, `not refused:\n${faults.slice(0, SHOWN).join('\n')}${more}`);
    const open = [...phases].filter(([, phase]) => phase !== 'settled' && phase !== 'rejected');
    assert.equal(open, [], 'plans were left open');
    await stack.submit(probePlan('afterwards'));
    assert.is((await stack.ended('afterwards')).settled?.status, 'succeeded');
  } finally {
    await stack.stop();
  }
}
