/** Publishes poison to a running stack and asks what became of each message. */
import { JetStreamApiError, type JetStreamClient, jetstream, jetstreamManager, type PubAck } from '@nats-io/jetstream';
import { type NatsConnection, headers as newHeaders } from '@nats-io/transport-node';
import pLimit from 'p-limit';
import { delay } from '../../shared/async/delay.ts';
import { isErrorCode } from '../../shared/errors/codes.ts';
import { readStream } from '../../shared/nats/read.ts';
import { ALL_CONSUMERS } from '../../shared/wire/consumers.ts';
import { ALL_DEAD, DEAD_STREAM, type DeadLetter } from '../../shared/wire/dead.ts';
import { workSubject } from '../../shared/wire/work.ts';
import { scaledMs } from '../harness/slowness.ts';
import type { Poison } from './garbled.ts';

const AT_ONCE = 128;
const PUBLISH_TIMEOUT_MS = scaledMs(30_000);
const LOOK_AGAIN_MS = 200;

/** What the server stored, by its sequence in the stream; what it refused itself is counted. */
export interface Stored {
  readonly stream: string;
  readonly bySeq: ReadonlyMap<number, Poison>;
  readonly refusedByServer: number;
}

async function publishOne(js: JetStreamClient, { subject, body, headers }: Poison): Promise<PubAck | undefined> {
  const given = newHeaders();
  for (const [name, value] of Object.entries(headers)) given.set(name, value);
  try {
    return await js.publish(subject, body, { headers: given, timeout: PUBLISH_TIMEOUT_MS });
  } catch (error) {
    // The server says no with a code of its own: nobody of ours sees that message.
    if (error instanceof JetStreamApiError) return undefined;
    throw error;
  }
}

export async function publishAll(
  connection: NatsConnection,
  stream: string,
  poison: readonly Poison[],
): Promise<Stored> {
  const js = jetstream(connection);
  const limit = pLimit(AT_ONCE);
  const bySeq = new Map<number, Poison>();
  let refusedByServer = 0;
  const publish = async (one: Poison): Promise<void> => {
    const ack = await publishOne(js, one);
    if (ack === undefined) refusedByServer += 1;
    else if (!ack.duplicate && ack.stream === stream) bySeq.set(ack.seq, one);
  };
  await Promise.all(poison.map((one) => limit(() => publish(one))));
  return { stream, bySeq, refusedByServer };
}

/** Who serves another runtime does not run here. */
const ELSEWHERE = (['local', 'modal', 'worker'] as const).map((adapter) => workSubject(adapter));
const SERVED = ALL_CONSUMERS.filter(({ filter }) => !ELSEWHERE.some((subject) => subject === filter));

/** Resolves when no consumer has anything left that it could take or has in hand. */
export async function drained(connection: NatsConnection): Promise<void> {
  const manager = await jetstreamManager(connection);
  for (const { stream, durable } of SERVED) {
    for (;;) {
      const { num_pending, num_ack_pending } = await manager.consumers.info(stream, durable);
      if (num_pending + num_ack_pending === 0) break;
      await delay(LOOK_AGAIN_MS);
    }
  }
}

/** Every dead letter, by stream and sequence. */
export async function deadLetters(connection: NatsConnection): Promise<ReadonlyMap<string, DeadLetter>> {
  const letters = new Map<string, DeadLetter>();
  for await (const { data } of readStream(connection, { stream: DEAD_STREAM, filter: ALL_DEAD, fromSeq: 1 })) {
    const letter = JSON.parse(new TextDecoder().decode(data)) as DeadLetter;
    letters.set(`${letter.stream} ${letter.seq}`, letter);
  }
  return letters;
}

/** A refusal by a code that tells its reader what to do; a defect of ours is none. */
export const isRefusal = ({ fault }: DeadLetter): boolean => isErrorCode(fault.code) && fault.code !== 'ERR_INTERNAL';
