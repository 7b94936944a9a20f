/**
 * A queue is a set of messages that are ready, leased or dead. Which of the ready ones comes is free; all else of what
 * a client sees is decided. Leases are long here: time is a matter of the conformance suite.
 */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { QueueCapabilities } from '../../shared/scratch/capabilities.ts';
import type { Queue, QueueMessage } from '../../shared/scratch/queue/queue.ts';
import { bytes, refused, text, type UnderTest } from './conformance.ts';
import { command, type ModelTest, type Real } from './model.ts';
import { MAX_DELIVERIES } from './queue-case.ts';

const TOPIC = 'jobs';
const LONG_S = 3_600;
/** For a message that must come. */
const WAIT_S = 20;

interface Message {
  readonly body: string;
  deliveries: number;
  state: 'ready' | 'leased' | 'dead';
  deadReason: string | undefined;
}

interface Model {
  readonly messages: Map<string, Message>;
  readonly ids: Map<string, string>;
  /** Receipts of current deliveries. */
  readonly receipts: Map<string, string>;
  readonly usedReceipts: string[];
  published: number;
}

type RealQueue = Real<Queue>;

const inState = ({ messages }: Model, state: Message['state']): [string, Message][] =>
  [...messages].filter(([, message]) => message.state === state);

/** The delivery that a command means: any number picks one, if there is one. */
const pick = <T>(items: readonly T[], choice: number): T | undefined => items[choice % Math.max(1, items.length)];

async function publish(model: Model, { client, planId }: RealQueue, idempotencyKey: string | undefined) {
  const body = `m${model.published++}`;
  const keyed = idempotencyKey === undefined ? {} : { idempotencyKey };
  const id = await client.publish({ planId, topic: TOPIC, body: bytes(body), ...keyed });
  const known = idempotencyKey === undefined ? undefined : model.ids.get(idempotencyKey);
  if (known !== undefined) {
    assert.is(id, known, 'the same key answers the same id');
    return;
  }
  assert.not(model.messages.has(id), 'a new message has a new id');
  model.messages.set(id, { body, deliveries: 0, state: 'ready', deadReason: undefined });
  if (idempotencyKey !== undefined) model.ids.set(idempotencyKey, id);
}

function received(model: Model, { id, body, deliveries, deadReason, receiptHandle }: QueueMessage): void {
  const message = model.messages.get(id);
  assert.is(message?.state, 'ready', `${id} is not ready`);
  if (message === undefined) return;
  message.deliveries++;
  message.state = 'leased';
  assert.equal([text(body), deliveries, deadReason], [message.body, message.deliveries, undefined]);
  model.receipts.set(receiptHandle, id);
}

async function consume(model: Model, { client, planId }: RealQueue, maxMessages: number): Promise<void> {
  const waitS = inState(model, 'ready').length > 0 ? WAIT_S : 0;
  const request = { planId, topic: TOPIC, maxMessages, visibilityTimeoutS: LONG_S, waitS };
  const messages = await client.consume(request);
  assert.ok(messages.length <= maxMessages);
  assert.ok(waitS === 0 || messages.length > 0, 'what is ready comes');
  for (const message of messages) received(model, message);
}

function useUp(model: Model, receiptHandle: string): void {
  model.receipts.delete(receiptHandle);
  model.usedReceipts.push(receiptHandle);
}

async function ack(model: Model, { client, planId }: RealQueue, choice: number): Promise<void> {
  const picked = pick([...model.receipts], choice);
  if (picked === undefined) return;
  const [receiptHandle, id] = picked;
  await client.ack({ planId, topic: TOPIC, receiptHandle });
  useUp(model, receiptHandle);
  model.messages.delete(id);
}

async function nack(model: Model, { client, planId }: RealQueue, choice: number): Promise<void> {
  const picked = pick([...model.receipts], choice);
  const message = picked === undefined ? undefined : model.messages.get(picked[1]);
  if (picked === undefined || message === undefined) return;
  const reason = `reason ${choice}`;
  await client.nack({ planId, topic: TOPIC, receiptHandle: picked[0], reason });
  useUp(model, picked[0]);
  const isDead = message.deliveries >= MAX_DELIVERIES;
  message.state = isDead ? 'dead' : 'ready';
  message.deadReason = isDead ? reason : undefined;
}

async function useAgain(model: Model, { client, planId }: RealQueue, choice: number): Promise<void> {
  const receiptHandle = pick(model.usedReceipts, choice);
  if (receiptHandle === undefined) return;
  const request = { planId, topic: TOPIC, receiptHandle };
  await refused(choice % 2 === 0 ? client.ack(request) : client.nack(request), 'ERR_RECEIPT', 'a used receipt');
}

/** Everything ready and dead is there, nothing else, and every lease still counts. */
async function atEnd(model: Model, real: RealQueue): Promise<void> {
  const { client, planId } = real;
  while (inState(model, 'ready').length > 0) await consume(model, real, 10);
  assert.equal(await client.consume({ planId, topic: TOPIC, maxMessages: 10 }), []);
  const dead = new Map(inState(model, 'dead'));
  while (dead.size > 0) {
    const request = { planId, topic: `${TOPIC}.dead`, maxMessages: 10, visibilityTimeoutS: LONG_S, waitS: WAIT_S };
    for (const { id, body, deliveries, deadReason } of await client.consume(request)) {
      const expected = dead.get(id);
      assert.equal([text(body), deliveries, deadReason], [expected?.body, 1, expected?.deadReason]);
      dead.delete(id);
    }
  }
  for (const receiptHandle of model.receipts.keys()) await client.ack({ planId, topic: TOPIC, receiptHandle });
}

const anyNumber = fc.nat({ max: 1_000 });

const commands = ({ dedupeS, refusesUsedReceipts }: QueueCapabilities) => {
  const keyed = fc.constantFrom('k1', 'k2', 'ключ');
  const idempotencyKey = dedupeS > 0 ? fc.option(keyed, { nil: undefined }) : fc.constant(undefined);
  const called = (name: string, argument: unknown): string => `${name}(${argument ?? ''})`;
  const again = anyNumber.map((n) =>
    command<Model, Queue>(called('useAgain', n), (model, real) => useAgain(model, real, n)),
  );
  return [
    idempotencyKey.map((k) => command<Model, Queue>(called('publish', k), (model, real) => publish(model, real, k))),
    fc
      .integer({ min: 1, max: 4 })
      .map((n) => command<Model, Queue>(called('consume', n), (model, real) => consume(model, real, n))),
    anyNumber.map((n) => command<Model, Queue>(called('ack', n), (model, real) => ack(model, real, n))),
    anyNumber.map((n) => command<Model, Queue>(called('nack', n), (model, real) => nack(model, real, n))),
    ...(refusesUsedReceipts ? [again] : []),
  ];
};

export const queueModel = (
  make: () => Promise<UnderTest<Queue>>,
  capabilities: QueueCapabilities,
): ModelTest<Model, Queue> => ({
  make,
  commands: commands(capabilities),
  newModel: () => ({ messages: new Map(), ids: new Map(), receipts: new Map(), usedReceipts: [], published: 0 }),
  atEnd,
});
