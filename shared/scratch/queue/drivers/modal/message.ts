import { isUtf8 } from 'node:buffer';
import { createHash, randomBytes } from 'node:crypto';
import { type Static, Type } from 'typebox';
import { recordParser } from '../../../../providers/modal/record.ts';
import { badReceipt } from '../../topic.ts';

/** A stored message, `m:<topic>:<id>`. It never changes; its life is in its cells. */
const MessageSchema = Type.Object({
  /** The body as text or base64. */
  t: Type.Optional(Type.String()),
  b: Type.Optional(Type.String()),
  /** The hash of its idempotency key: it counts only if `i:<topic>:<k>` names it. */
  k: Type.Optional(Type.String()),
  /** Of a dead letter: what ended its last delivery. */
  why: Type.Optional(Type.String()),
});

const common = { o: Type.String(), d: Type.Integer({ minimum: 0 }) };
/** A step in the life of a message, `s:<topic>:<id>:<n>`; `d` counts the deliveries until then. */
const StepSchema = Type.Union([
  /** Handed out; `x` is when its consumer loses it, Unix ms. */
  Type.Object({ ...common, is: Type.Literal('leased'), x: Type.Number() }),
  /** Given back; ready at `x`. */
  Type.Object({ ...common, is: Type.Literal('ready'), x: Type.Number() }),
  Type.Object({ ...common, is: Type.Literal('acked') }),
  Type.Object({ ...common, is: Type.Literal('dead'), why: Type.String() }),
]);

export type ModalMessage = Static<typeof MessageSchema>;
export type Step = Static<typeof StepSchema>;
export const parseMessage = recordParser(MessageSchema);
export const parseStep = recordParser(StepSchema);

export function toContent(body: Uint8Array): Pick<ModalMessage, 't' | 'b'> {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return isUtf8(bytes) ? { t: bytes.toString('utf8') } : { b: bytes.toString('base64') };
}

export const bodyOf = ({ t, b }: ModalMessage): Uint8Array =>
  t === undefined ? Buffer.from(b ?? '', 'base64') : Buffer.from(t, 'utf8');

/**
 * A message id says when the message becomes ready and whether a ticket announces it, so that a list of ids alone tells
 * what is due.
 */
export const newMessageId = (dueMs: number, announced: boolean): string =>
  `${dueMs.toString(36)}.${announced ? 'a' : 'q'}${randomBytes(12).toString('hex')}`;

/** A delayed message has no ticket: modal.Queue cannot hold one back. */
export const isAnnounced = (id: string): boolean => id.includes('.a');

export const dueOf = (id: string): number => Number.parseInt(id.split('.')[0] ?? '', 36);

export const messageKey = (topic: string, id: string): string => `m:${topic}:${id}`;
export const stepPrefix = (topic: string, id: string): string => `s:${topic}:${id}:`;

/** Where a delivery can be claimed: step `n` of the message, after `d` deliveries. */
export interface Ticket {
  readonly id: string;
  readonly n: number;
  readonly d: number;
}

/** What a modal.Queue carries. */
export const writeTicket = ({ id, n, d }: Ticket): string => `${id} ${n} ${d}`;

export function readTicket(text: unknown): Ticket | undefined {
  const [, id, n, d] = /^(\S+) (\d{1,9}) (\d{1,9})$/.exec(typeof text === 'string' ? text : '') ?? [];
  return id === undefined ? undefined : { id, n: Number(n), d: Number(d) };
}

/** One delivery: the step that leased it, who did, and until when. */
export interface ModalDelivery extends Ticket {
  readonly o: string;
  readonly expiresMs: number;
}

const place = (planId: string, topic: string): string =>
  createHash('sha256').update(`${planId}/${topic}`).digest('base64url').slice(0, 12);

export const writeHandle = (planId: string, topic: string, { id, n, d, o, expiresMs }: ModalDelivery): string =>
  [place(planId, topic), id, n, d, o, expiresMs].join('/');

/** @throws IsomorphError ERR_RECEIPT for what is not ours, or is of another topic or plan. */
export function readHandle(planId: string, topic: string, handle: string): ModalDelivery {
  const [at, id, n, d, o, expires] =
    /^([\w-]{12})\/([\w.]+)\/(\d+)\/(\d+)\/([\w-]+)\/(\d+)$/.exec(handle)?.slice(1) ?? [];
  if (id === undefined || o === undefined) throw badReceipt('is not one of ours');
  if (at !== place(planId, topic)) throw badReceipt('belongs to another topic or plan');
  return { id, n: Number(n), d: Number(d), o, expiresMs: Number(expires) };
}

/** @throws IsomorphError ERR_RECEIPT */
export function checkNotExpired({ expiresMs }: ModalDelivery): void {
  if (expiresMs <= Date.now()) throw badReceipt('has expired');
}
