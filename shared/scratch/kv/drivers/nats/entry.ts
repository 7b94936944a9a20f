/** What the last message on the subject of a key says. Pure. */
import type { StoredMsg } from '@nats-io/jetstream';

export const OPERATION = 'KV-Operation';
const GONE = ['DEL', 'PURGE'];
/** Milliseconds since 1970 by the server's clock, where a counter keeps a time to live that began with another message. */
export const EXPIRES = 'Isomorph-Expires';
const TTL = 'Nats-TTL';
/** The server's own word that a key is gone. */
const MARKER = 'Nats-Marker-Reason';

export interface Entry {
  /** undefined: the key is absent, whatever the bucket holds at `revision`. */
  readonly value: Uint8Array | undefined;
  readonly expiresAtMs: number | undefined;
  /** What compare-and-set expects; 0: the bucket holds nothing. */
  readonly revision: number;
}

export const ABSENT: Entry = { value: undefined, expiresAtMs: undefined, revision: 0 };

export function entryOf(message: StoredMsg): Entry {
  const { header, seq: revision, data: value } = message;
  const isGone = GONE.includes(header.get(OPERATION)) || header.has(MARKER);
  return isGone ? { ...ABSENT, revision } : { value, expiresAtMs: expiresAtMs(message), revision };
}

function expiresAtMs({ header, time }: StoredMsg): number | undefined {
  const expires = header.get(EXPIRES);
  if (expires !== '') return Number(expires);
  const ttlMs = durationMs(header.get(TTL));
  return ttlMs === undefined ? undefined : time.getTime() + ttlMs;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  µs: 1e-3,
  us: 1e-3,
  ns: 1e-6,
};

/** A time to live as the server reads it: seconds, or Go's text of a duration; undefined for none and for `never`. */
function durationMs(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const parts = [...text.matchAll(/(?<![\d.])([\d.]+)(h|ms|m|s|µs|us|ns)/g)];
  if (parts.length === 0) return undefined;
  return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (UNIT_MS[unit] ?? 0), 0);
}
