import { IsomorphError } from '../errors/isomorph-error.ts';
import { blake3Hex } from '../hash/blake3.ts';
import { canonicalBytes, canonicalText } from '../hash/canonical.ts';
import { type Draft, EVENT_LIMITS, EVENT_VERSION, type LedgerEvent, type LedgerWriter } from './events.ts';

/** The last event of a chain, as far as the next one depends on it. */
export interface Head {
  readonly seq: number;
  readonly hash: string | null;
  readonly ts: string | null;
}

export const EMPTY_HEAD: Head = { seq: 0, hash: null, ts: null };

export const headOf = (event: LedgerEvent): Head => ({ seq: event.seq, hash: event.this_hash, ts: event.ts });

/** `"blake3:" + hex(BLAKE3(JCS(event without this_hash)))`. */
export function hashEvent(event: LedgerEvent | Omit<LedgerEvent, 'this_hash'>): string {
  const { this_hash: _, ...rest } = event as LedgerEvent;
  return `blake3:${blake3Hex(canonicalBytes(rest))}`;
}

export interface SealOptions {
  readonly planId: string;
  readonly by: LedgerWriter;
  /** Unix time in milliseconds. A clock that ran back is held at the time of the head. */
  readonly nowMs: number;
}

/** Drafts as chained events behind `head`. */
export function seal(head: Head, drafts: readonly Draft[], { planId, by, nowMs }: SealOptions): LedgerEvent[] {
  const now = new Date(nowMs).toISOString();
  const ts = head.ts !== null && head.ts > now ? head.ts : now;
  const events: LedgerEvent[] = [];
  let { seq, hash } = head;
  for (const draft of drafts) {
    seq += 1;
    const open = { ...draft, by, plan_id: planId, prev_hash: hash, seq, ts, v: EVENT_VERSION } as const;
    hash = hashEvent(open as Omit<LedgerEvent, 'this_hash'>);
    events.push({ ...open, this_hash: hash } as LedgerEvent);
  }
  return events;
}

/**
 * Checks that `event` follows `head` and hashes to what it says.
 * @throws ERR_CHAIN_BROKEN with the field that is wrong and what it should be.
 */
export function checkLink(head: Head, event: LedgerEvent): void {
  const broken = (field: string, expected: unknown): never => {
    throw new IsomorphError('ERR_CHAIN_BROKEN', `seq ${event.seq} of ${event.plan_id}: ${field} is wrong`, {
      pointer: `/${field}`,
      expected: JSON.stringify(expected),
    });
  };
  if (event.seq !== head.seq + 1) broken('seq', head.seq + 1);
  if (event.prev_hash !== head.hash) broken('prev_hash', head.hash);
  if (head.ts !== null && event.ts < head.ts) broken('ts', `not before ${head.ts}`);
  const hash = hashEvent(event);
  if (event.this_hash !== hash) broken('this_hash', hash);
}

const encoder = new TextEncoder();

/**
 * One commit: the canonical events of one plan, in order, one a line (a commit of one event is plain JSON).
 * @throws ERR_TOO_LARGE when an event or the commit exceeds {@link EVENT_LIMITS}.
 */
export function encodeCommit(events: readonly LedgerEvent[]): Uint8Array {
  const lines = events.map((event) => {
    const line = canonicalText(event);
    const bytes = Buffer.byteLength(line);
    if (bytes > EVENT_LIMITS.event_bytes) {
      throw new IsomorphError('ERR_TOO_LARGE', `${event.kind} of ${event.plan_id} has ${bytes} bytes`, {
        expected: `at most ${EVENT_LIMITS.event_bytes} bytes an event`,
      });
    }
    return line;
  });
  const commit = encoder.encode(lines.join('\n'));
  if (commit.byteLength > EVENT_LIMITS.commit_bytes) {
    throw new IsomorphError('ERR_TOO_LARGE', `a commit has ${commit.byteLength} bytes`, {
      expected: `at most ${EVENT_LIMITS.commit_bytes} bytes a commit`,
    });
  }
  return commit;
}
