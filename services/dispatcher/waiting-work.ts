import type { NatsConnection } from '@nats-io/transport-node';
import { firstMessageFrom } from '../../shared/nats/read.ts';
import { jsonIn } from '../../shared/text/json-in.ts';
import { parseWork, WORK_STREAM } from '../../shared/wire/work.ts';

/** A stream with more is not looked through: whoever asks does again. */
const MOST_MESSAGES = 5_000;

/**
 * Executions whose message waits for a dispatcher or is in the hands of one; undefined when there are too many to tell.
 * @throws ERR_UNAVAILABLE when the server does not answer
 */
export async function waitingInWork(connection: NatsConnection): Promise<ReadonlySet<string> | undefined> {
  const found = new Set<string>();
  let fromSeq = 1;
  for (let count = 0; count < MOST_MESSAGES; count++) {
    const message = await firstMessageFrom(connection, WORK_STREAM, fromSeq);
    if (message === undefined) return found;
    fromSeq = message.seq + 1;
    const work = parseWork(jsonIn(message.data));
    if (work.ok) found.add(work.value.execution_id);
  }
  return undefined;
}
