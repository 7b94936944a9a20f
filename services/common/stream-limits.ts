/** Which limit each stream has, and how limits are fitted to a disk that is too small for them. Pure. */
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { formatAmount } from '../../shared/text/amount.ts';
import { ALARMS_STREAM } from '../../shared/wire/alarms.ts';
import { COMMANDS_STREAM } from '../../shared/wire/commands.ts';
import { DEAD_KEPT_STREAM, DEAD_STREAM } from '../../shared/wire/dead.ts';
import { FACTS_STREAM } from '../../shared/wire/facts.ts';
import { LEDGER_STREAM } from '../../shared/wire/ledger.ts';
import { LIVE_STREAM } from '../../shared/wire/progress.ts';
import { KV_STREAM } from '../../shared/wire/scratch-kv.ts';
import { QUEUE_SHARDS } from '../../shared/wire/scratch-streams.ts';
import { WORK_STREAM } from '../../shared/wire/work.ts';
import { LIMITS, type Limits, type StreamLimitKey, type StreamLimits } from './config/limits.ts';

const LIMIT_OF: Readonly<Record<string, StreamLimitKey>> = {
  [LEDGER_STREAM]: 'ledgerBytes',
  [COMMANDS_STREAM]: 'commandsBytes',
  [WORK_STREAM]: 'workBytes',
  [ALARMS_STREAM]: 'alarmsBytes',
  [FACTS_STREAM]: 'factsBytes',
  [LIVE_STREAM]: 'liveBytes',
  [DEAD_STREAM]: 'deadBytes',
  [DEAD_KEPT_STREAM]: 'deadBytes',
  [KV_STREAM]: 'kvBytes',
};

/** Of the ledger, for the ends of open plans: nothing else is written into it. */
export const KEPT_SHARE = 0.1;

export const limitOfStream = (stream: string): StreamLimitKey =>
  Object.hasOwn(LIMIT_OF, stream) ? (LIMIT_OF[stream] as StreamLimitKey) : 'queuesBytes';

/** How many streams share a limit. */
const SHARED_BY: Partial<Readonly<Record<StreamLimitKey, number>>> = { queuesBytes: QUEUE_SHARDS, deadBytes: 2 };

/** What one stream gets of a limit. */
export const shareOf = (key: StreamLimitKey, bytes: number): number => Math.floor(bytes / (SHARED_BY[key] ?? 1));

export const bytesOfStream = (stream: string, limits: StreamLimits): number => {
  const key = limitOfStream(stream);
  return shareOf(key, limits[key]);
};

/** A stream beside its limit. */
export interface StreamUse {
  readonly stream: string;
  /** What it holds. */
  readonly bytes: number;
  readonly limitBytes: number;
}

/** What the server writes beside the streams, and the rest of a stack while it starts. */
export const HEADROOM_BYTES = 32 * 1024 * 1024;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** What a stream cannot do with less: what it holds, and a little. */
function leastOf({ stream, bytes, limitBytes }: StreamUse): number {
  const key = limitOfStream(stream);
  return Math.min(limitBytes, Math.max(bytes, shareOf(key, LIMITS[key].least)));
}

/**
 * Limits that fit what is free beside what the streams hold: as they are where there is room for all of it, else smaller, each
 * by the same part of what it could still grow. No limit gets smaller than what its stream holds.
 * @throws ERR_NO_ROOM with the amounts, when not even a little is free for each
 */
export function fitted(uses: readonly StreamUse[], freeBytes: number): StreamUse[] {
  const roomBytes = freeBytes - HEADROOM_BYTES;
  const least = uses.map((use) => ({ ...use, leastBytes: leastOf(use) }));
  const neededBytes = sum(least.map(({ bytes, leastBytes }) => Math.max(0, leastBytes - bytes)));
  if (neededBytes > roomBytes) throw noRoom(uses, neededBytes + HEADROOM_BYTES, freeBytes);
  const growth = sum(least.map(({ limitBytes, leastBytes }) => limitBytes - leastBytes));
  const part = growth === 0 ? 0 : Math.min(1, (roomBytes - neededBytes) / growth);
  return least.map(({ leastBytes, ...use }) => ({
    ...use,
    limitBytes: leastBytes + Math.floor((use.limitBytes - leastBytes) * part),
  }));
}

/**
 * That streams with changed limits could not grow beyond the disk. A limit that gets smaller always fits.
 * @throws ERR_NO_ROOM with the amounts
 */
export function requireRoom(uses: readonly StreamUse[], changed: readonly StreamUse[], freeBytes: number): void {
  const before = new Map(uses.map((use) => [use.stream, use.limitBytes]));
  if (changed.every(({ stream, limitBytes }) => limitBytes <= (before.get(stream) ?? 0))) return;
  const after = new Map(changed.map((use) => [use.stream, use]));
  const all = uses.map((use) => after.get(use.stream) ?? use);
  const growth = sum(all.map(({ bytes, limitBytes }) => Math.max(0, limitBytes - bytes)));
  if (growth + HEADROOM_BYTES > freeBytes) throw noRoom(all, growth + HEADROOM_BYTES, freeBytes);
}

/** Streams named in a message: the largest. */
const NAMED = 4;

function noRoom(uses: readonly StreamUse[], neededBytes: number, freeBytes: number): IsomorphError {
  const largest = [...uses].sort((one, other) => other.bytes - one.bytes || other.limitBytes - one.limitBytes);
  const held = largest
    .slice(0, NAMED)
    .map(({ stream, bytes, limitBytes }) => `${stream} ${formatAmount(bytes)} of ${formatAmount(limitBytes)}`);
  const total = `${formatAmount(sum(uses.map(({ bytes }) => bytes)))} of ${formatAmount(sum(uses.map(({ limitBytes }) => limitBytes)))}`;
  return new IsomorphError(
    'ERR_NO_ROOM',
    `the streams need ${formatAmount(neededBytes)} on their disk, ${formatAmount(freeBytes)} are free; they hold ${total}: ${held.join(', ')}`,
    { expected: `${formatAmount(neededBytes)} free` },
  );
}

/** The limits of streams by name, of all limits. */
export const usesOf = (streams: readonly { name: string; bytes: number }[], limits: Limits): StreamUse[] =>
  streams.map(({ name, bytes }) => ({ stream: name, bytes, limitBytes: bytesOfStream(name, limits) }));
