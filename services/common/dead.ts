import { type JsMsg, jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { boundedFaults } from '../../shared/ledger/bounded-faults.ts';
import type { Dead } from '../../shared/nats/consume.ts';
import { type DeadLetter, deadSubject } from '../../shared/wire/dead.ts';

/** Enough of a message to see what it was; the largest legal plan is four times this. */
const KEPT_BODY_BYTES = 64 * 1024;
/** Of what a limit refused: a flood must not push what others are told out of the stream. */
const KEPT_OF_FLOOD_BYTES = 256;

const FLOODED: ReadonlySet<string> = new Set(['ERR_LIMIT', 'ERR_LEDGER_FULL']);

export interface Burial extends Pick<Dead, 'fault' | 'planId'> {
  /** Who is to hear of it; undefined when nobody knows. */
  readonly principal: string | undefined;
}

/** Stores a dead letter; resolves when the server has it. */
export async function publishDead(
  connection: NatsConnection,
  message: JsMsg,
  { fault, planId, principal }: Burial,
): Promise<void> {
  const { stream, deliveryCount } = message.info;
  const keptBytes = FLOODED.has(fault.code) ? KEPT_OF_FLOOD_BYTES : KEPT_BODY_BYTES;
  // A fault quotes what it is about, and a letter that no message can hold would be tried for ever.
  const [bounded = fault] = boundedFaults([fault]);
  const letter: DeadLetter = {
    fault: bounded,
    stream,
    seq: message.seq,
    subject: message.subject,
    deliveries: deliveryCount,
    body_base64: Buffer.from(message.data.subarray(0, keptBytes)).toString('base64'),
    body_truncated: message.data.byteLength > keptBytes,
  };
  await jetstream(connection).publish(deadSubject({ stream, principal, planId }), JSON.stringify(letter), {
    msgID: `dead-${stream}-${message.seq}-${fault.code}`,
  });
}
