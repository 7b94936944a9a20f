/** How a message and a receipt are written. Pure. */
import { badReceipt } from '../../topic.ts';

/** What a message of SQS carries: SQS has no ids of the publisher's choice, no delays on FIFO queues, and no bytes. */
export interface SqsEnvelope {
  readonly id: string;
  readonly body: Uint8Array;
  /** Counted from when SQS stored it. */
  readonly delayMs: number;
  /** Of a dead letter. */
  readonly deadReason?: string;
}

const MAX_REASON = 256;

/** SQS takes only the characters of XML; ASCII without control characters is inside every server's idea of those. */
const asAscii = (json: string): string =>
  json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

export function encodeEnvelope({ id, body, delayMs, deadReason }: SqsEnvelope): string {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return asAscii(
    JSON.stringify({
      id,
      ...(delayMs > 0 ? { delay_ms: delayMs } : {}),
      ...(deadReason === undefined ? {} : { dead_reason: deadReason.slice(0, MAX_REASON) }),
      body_base64: bytes.toString('base64'),
    }),
  );
}

function ours(text: string): SqsEnvelope | undefined {
  if (!text.startsWith('{"id":')) return undefined;
  const { id, delay_ms: delayMs = 0, dead_reason: deadReason, body_base64: body } = JSON.parse(text);
  if (typeof id !== 'string' || typeof delayMs !== 'number' || typeof body !== 'string') return undefined;
  return {
    ...{ id, delayMs, body: Buffer.from(body, 'base64') },
    ...(typeof deadReason === 'string' ? { deadReason } : {}),
  };
}

/** @param messageId what SQS calls the message: its id when somebody sent it by other means, with its text as the body */
export function decodeEnvelope(text: string, messageId: string): SqsEnvelope {
  const foreign: SqsEnvelope = { id: messageId, body: Buffer.from(text), delayMs: 0 };
  try {
    return ours(text) ?? foreign;
  } catch (error) {
    if (error instanceof SyntaxError) return foreign;
    throw error;
  }
}

/** What a receipt of ours says beside the handle of SQS. Instants are of the clock of the machine that received. */
export interface SqsReceipt {
  readonly mark: string;
  readonly deliveries: number;
  readonly receivedMs: number;
  readonly expiresMs: number;
  readonly handle: string;
}

const RECEIPT = /^([0-9a-f]{12})\.(\d{1,15})\.(\d{1,15})\.(\d{1,15})\.(.+)$/s;

export const encodeReceipt = ({ mark, deliveries, receivedMs, expiresMs, handle }: SqsReceipt): string =>
  [mark, deliveries, receivedMs, expiresMs, handle].join('.');

/** @throws IsomorphError ERR_RECEIPT */
export function decodeReceipt(text: string): SqsReceipt {
  const [, mark, deliveries, receivedMs, expiresMs, handle] = RECEIPT.exec(text) ?? [];
  if (mark === undefined || handle === undefined) throw badReceipt('is not one of ours');
  return {
    ...{ mark, handle },
    deliveries: Number(deliveries),
    receivedMs: Number(receivedMs),
    expiresMs: Number(expiresMs),
  };
}
