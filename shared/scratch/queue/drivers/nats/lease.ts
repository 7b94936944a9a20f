/**
 * Who may end a delivery, as text: receipts, and the marks of a message in its stream. Pure. ADR 0051.
 *
 * A JetStream acknowledgement removes a message whoever it is delivered to by then. So what ends a delivery is a mark,
 * written by compare-and-set on `<topic>.lease.<sequence>`; the acknowledgement only cleans up after it.
 */

import type { TopicPlace } from '../../../../wire/scratch-streams.ts';
import { badReceipt } from '../../topic.ts';

/** What the last mark of a message says. */
export type Mark =
  /** It is with somebody. The first delivery needs no mark: it holds while there is none. */
  | { readonly is: 'leased' }
  | { readonly is: 'acked' }
  /** It goes on as another message, from `dueMs`. */
  | { readonly is: 'nacked'; readonly dueMs: number; readonly deliveries: number }
  | { readonly is: 'dead'; readonly deliveries: number; readonly reason: string };

export interface NatsReceipt {
  /** Where the acknowledgement goes. */
  readonly reply: string;
  /** Sequence of the mark that this delivery wrote; 0: none, it was the first. */
  readonly mark: number;
  /** Deliveries, those of its copies before included. */
  readonly deliveries: number;
  readonly expiresAtMs: number;
}

export interface NatsDelivery {
  readonly stream: string;
  readonly consumer: string;
  /** Of this copy of the message, from 1. */
  readonly deliveries: number;
  readonly sequence: number;
}

const REPLY = /^\$JS\.ACK(\.[\w=-]+)+$/;
/** `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<consumer sequence>.<time>.<pending>`, older servers; newer ones have domain and account first. */
const SHORT_REPLY = 9;

/** What the reply subject of a delivery says; undefined when it is none. */
export function parseReply(reply: string): NatsDelivery | undefined {
  if (!REPLY.test(reply)) return undefined;
  const tokens = reply.split('.');
  const [stream = '', consumer = '', deliveries, sequence] = tokens.slice(tokens.length === SHORT_REPLY ? 2 : 4);
  const delivery = { stream, consumer, deliveries: Number(deliveries), sequence: Number(sequence) };
  return Number.isInteger(delivery.deliveries) && Number.isInteger(delivery.sequence) ? delivery : undefined;
}

export const writeHandle = ({ reply, mark, deliveries, expiresAtMs }: NatsReceipt): string =>
  Buffer.from(JSON.stringify([reply, mark, deliveries, expiresAtMs])).toString('base64url');

/** @throws ERR_RECEIPT unless it is one of this topic that has not expired by the clock. */
export function readHandle(
  handle: string,
  { stream, consumer }: TopicPlace,
  nowMs: number,
): NatsReceipt & { delivery: NatsDelivery } {
  let fields: unknown;
  try {
    fields = JSON.parse(Buffer.from(handle, 'base64url').toString('utf8'));
  } catch (error) {
    throw badReceipt('is not one of ours', error);
  }
  const [reply, mark, deliveries, expiresAtMs] = Array.isArray(fields) ? fields : [];
  const delivery = typeof reply === 'string' ? parseReply(reply) : undefined;
  if (delivery === undefined || ![mark, deliveries, expiresAtMs].every(Number.isInteger)) {
    throw badReceipt('is not one of ours');
  }
  if (delivery.stream !== stream || delivery.consumer !== consumer) throw badReceipt('belongs to another topic');
  if (expiresAtMs <= nowMs) throw badReceipt('has expired');
  return { reply, mark, deliveries, expiresAtMs, delivery };
}

export const markSubject = ({ subject }: TopicPlace, sequence: number): string => `${subject}.lease.${sequence}`;

export const laterSubject = ({ subject }: TopicPlace, id: string): string => `${subject}.later.${id}`;
