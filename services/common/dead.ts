import { type JsMsg, jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { cidOf } from '../../shared/hash/cid.ts';
import { isPlanId } from '../../shared/ids/ids.ts';
import { boundedFaults } from '../../shared/ledger/bounded-faults.ts';
import type { Dead } from '../../shared/nats/disposition.ts';
import { type DeadLetter, deadSubject } from '../../shared/wire/dead.ts';

/** Enough of a message for a person to see what it was; its size and hash tell the rest. */
const KEPT_BODY_BYTES = 1024;

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
  const { byteLength: bytes } = message.data;
  // A fault quotes what it is about, and a letter that no message can hold would be tried for ever.
  const [bounded = fault] = boundedFaults([fault]);
  const letter: DeadLetter = {
    fault: bounded,
    stream,
    seq: message.seq,
    subject: message.subject,
    deliveries: deliveryCount,
    body_base64: Buffer.from(message.data.subarray(0, KEPT_BODY_BYTES)).toString('base64'),
    body_truncated: bytes > KEPT_BODY_BYTES,
    body_bytes: bytes,
    body_cid: cidOf(message.data),
    ...(isPlanId(planId) ? { plan_id: planId } : {}),
  };
  await jetstream(connection).publish(deadSubject({ stream, principal, planId }), JSON.stringify(letter), {
    msgID: `dead-${stream}-${message.seq}-${fault.code}`,
  });
}
