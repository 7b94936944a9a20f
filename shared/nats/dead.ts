import { type JsMsg, jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Fault } from '../errors/isomorph-error.ts';

/** Enough of a message to see what it was; the largest legal plan is four times this. */
const KEPT_BODY_BYTES = 64 * 1024;

/** A message on `dead.<stream>.<plan_id or _>`: what could not be handled, and why. */
export interface DeadLetter {
  readonly fault: Fault;
  readonly stream: string;
  readonly seq: number;
  readonly subject: string;
  readonly deliveries: number;
  readonly body_base64: string;
  readonly body_truncated: boolean;
}

export const deadSubject = (stream: string, planId: string | undefined): string =>
  `dead.${stream.toLowerCase()}.${planId ?? '_'}`;

/** Stores a dead letter; resolves when the server has it. */
export async function publishDead(
  connection: NatsConnection,
  message: JsMsg,
  fault: Fault,
  planId: string | undefined,
): Promise<void> {
  const { stream, deliveryCount } = message.info;
  const letter: DeadLetter = {
    fault,
    stream,
    seq: message.seq,
    subject: message.subject,
    deliveries: deliveryCount,
    body_base64: Buffer.from(message.data.subarray(0, KEPT_BODY_BYTES)).toString('base64'),
    body_truncated: message.data.byteLength > KEPT_BODY_BYTES,
  };
  await jetstream(connection).publish(deadSubject(stream, planId), JSON.stringify(letter), {
    msgID: `dead-${stream}-${message.seq}-${fault.code}`,
  });
}
