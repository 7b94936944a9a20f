import { IsomorphError } from '../errors/isomorph-error.ts';
import { canonicalText } from '../hash/canonical.ts';
import { type RawEvent, sealLine } from './envelope.ts';
import { type Draft, EVENT_LIMITS, type LedgerEvent, type LedgerWriter } from './events.ts';
import { newestVersion } from './versions.ts';

/** The last event of a chain, as far as the next one depends on it. */
export interface Head {
  readonly seq: number;
  readonly hash: string | null;
  readonly ts: string | null;
}

export const EMPTY_HEAD: Head = { seq: 0, hash: null, ts: null };

type Link = Pick<RawEvent, 'seq' | 'this_hash' | 'prev_hash' | 'ts' | 'plan_id'>;

export const headOf = (event: Link): Head => ({ seq: event.seq, hash: event.this_hash, ts: event.ts });

export interface SealOptions {
  readonly planId: string;
  readonly by: LedgerWriter;
  /** Unix time in milliseconds. A clock that ran back is held at the time of the head. */
  readonly nowMs: number;
}

/** The line of each event that was sealed here: what is written is what was hashed, made once. */
const lines = new WeakMap<LedgerEvent, string>();

/** Drafts as chained events behind `head`, each in the newest version of its kind. */
export function seal(head: Head, drafts: readonly Draft[], { planId, by, nowMs }: SealOptions): LedgerEvent[] {
  const now = new Date(nowMs).toISOString();
  const ts = head.ts !== null && head.ts > now ? head.ts : now;
  const events: LedgerEvent[] = [];
  let { seq, hash } = head;
  for (const draft of drafts) {
    seq += 1;
    const open = { ...draft, by, plan_id: planId, prev_hash: hash, seq, ts, v: newestVersion(draft.kind) };
    const sealed = sealLine(open);
    hash = sealed.hash;
    const event = { ...open, this_hash: hash } as LedgerEvent;
    lines.set(event, sealed.line);
    events.push(event);
  }
  return events;
}

function broken(event: Link, field: string, expected: unknown): never {
  throw new IsomorphError('ERR_CHAIN_BROKEN', `seq ${event.seq} of ${event.plan_id}: ${field} is wrong`, {
    pointer: `/${field}`,
    expected: JSON.stringify(expected),
  });
}

/**
 * Checks that an event, which hashes to what it says, follows `head`.
 * @throws ERR_CHAIN_BROKEN with the field that is wrong and what it should be
 */
export function checkLink(head: Head, event: Link): void {
  if (event.seq !== head.seq + 1) broken(event, 'seq', head.seq + 1);
  if (event.prev_hash !== head.hash) broken(event, 'prev_hash', head.hash);
  if (head.ts !== null && event.ts < head.ts) broken(event, 'ts', `not before ${head.ts}`);
}

const encoder = new TextEncoder();

const lineOf = (event: LedgerEvent): string => lines.get(event) ?? canonicalText(event);

function tooLarge(what: string, limit: string): never {
  throw new IsomorphError('ERR_TOO_LARGE', what, { expected: `at most ${limit}` });
}

function checkSize(event: LedgerEvent): void {
  const { byteLength: bytes } = encoder.encode(lineOf(event));
  if (bytes <= EVENT_LIMITS.event_bytes) return;
  tooLarge(`${event.kind} of ${event.plan_id} has ${bytes} bytes`, `${EVENT_LIMITS.event_bytes} bytes an event`);
}

/**
 * One commit: the canonical events of one plan, in order, one a line (a commit of one event is plain JSON).
 * @throws ERR_TOO_LARGE when an event or the commit exceeds {@link EVENT_LIMITS}.
 */
export function encodeCommit(events: readonly LedgerEvent[]): Uint8Array {
  const commit = encoder.encode(events.map(lineOf).join('\n'));
  const { byteLength: bytes } = commit;
  if (bytes > EVENT_LIMITS.event_bytes) events.forEach(checkSize);
  if (bytes > EVENT_LIMITS.commit_bytes) {
    tooLarge(`a commit has ${bytes} bytes`, `${EVENT_LIMITS.commit_bytes} bytes a commit`);
  }
  return commit;
}
