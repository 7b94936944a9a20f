import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { sharesOf } from '../services/admission/quotas.ts';
import { Tally } from '../services/admission/tally.ts';
import { readConfig } from '../services/common/config/config.ts';
import { LIMITS, type Limit, type LimitKey, type LimitUnit } from '../services/common/config/limits.ts';
import { setLimits, streamUses } from '../services/common/limits-in-force.ts';
import { limitOfStream, type StreamUse } from '../services/common/stream-limits.ts';
import { TOLD_SHARE } from '../shared/async/limit-notice.ts';
import { formatAmount } from '../shared/text/amount.ts';
import { COMMANDS_STREAM, parseCommandSubject } from '../shared/wire/commands.ts';
import { LEDGER_STREAM } from '../shared/wire/ledger.ts';
import type { Terminal } from './terminal.ts';

/** A limit as it holds, and how much of it is used. */
export interface LimitRow {
  readonly name: string;
  readonly unit: LimitUnit;
  readonly most: number;
  /** Of whoever uses most of it; undefined for what is counted where it is used. */
  readonly used: number | undefined;
  /** The stream, or who commands, that uses so much; undefined for all together. */
  readonly by: string | undefined;
  /** Whether an operator set it with `isomorph limits set`. */
  readonly set: boolean;
  /** What is old gives way: that it is full is no fault. */
  readonly isRolling: boolean;
}

type Use = Pick<LimitRow, 'used' | 'by'> & { readonly most?: number };

const fuller = (one: Use | undefined, other: Use): Use =>
  one === undefined || (other.used ?? 0) > (one.used ?? 0) ? other : one;

const ofStream = ({ stream, bytes, limitBytes }: StreamUse): Use => ({
  used: bytes,
  by: stream,
  ...(limitBytes > 0 ? { most: limitBytes } : {}),
});

/** The subject on which most commands wait. */
async function waiting(connection: NatsConnection): Promise<Use> {
  const jsm = await jetstreamManager(connection, { checkAPI: false });
  const { state } = await jsm.streams.info(COMMANDS_STREAM, { subjects_filter: '>' });
  const counts = Object.entries(state.subjects ?? {}).map(([subject, used]): Use => {
    return { used, by: parseCommandSubject(subject)?.principal };
  });
  return counts.reduce(fuller, { used: 0, by: undefined });
}

/**
 * Every limit, in the order of its list, as a user who may look at streams sees it.
 * @throws ERR_UNAVAILABLE, and what the client throws when this user may not look
 */
export async function limitRows(connection: NatsConnection, env: Terminal['env']): Promise<LimitRow[]> {
  const jsm = await jetstreamManager(connection, { checkAPI: false });
  const configured = readConfig(env, []);
  const set = setLimits((await jsm.streams.info(LEDGER_STREAM)).config.metadata);
  const tally = new Tally({ connection, limits: configured, nowMs: Date.now });
  const uses = new Map<LimitKey, Use>([['waitingCommands', await waiting(connection)]]);
  const use = (key: LimitKey, one: Use): void => void uses.set(key, fuller(uses.get(key), one));
  for (const one of await streamUses(jsm)) use(limitOfStream(one.stream), ofStream(one));
  await tally.look();
  const { usage, limits, ledger } = tally;
  // Where nobody has anything under way, anybody has nothing.
  for (const principal of ['', ...usage.principals]) {
    for (const { limit, used, most, principal: by } of sharesOf({ usage, limits, ledger, principal }))
      use(limit, { used, by, most });
  }
  return Object.entries<Limit>(LIMITS).map(([key, { name, unit, isRolling }]): LimitRow => {
    const { used, by, most = limits[key as LimitKey] } = uses.get(key as LimitKey) ?? {};
    return { name, unit, most, used, by: by || undefined, set: Object.hasOwn(set, key), isRolling: isRolling === true };
  });
}

export type LimitState = 'free' | 'near' | 'hit';

/** Near from 80 % on. Pure. */
export const stateOf = ({ used = 0, most, isRolling }: Pick<LimitRow, 'used' | 'most' | 'isRolling'>): LimitState =>
  isRolling ? 'free' : used >= most ? 'hit' : used >= most * TOLD_SHARE ? 'near' : 'free';

/** `12KiB`, `3`. Pure. */
export const amountOf = (unit: LimitUnit, amount: number): string =>
  unit === 'bytes' ? formatAmount(amount) : String(amount);
