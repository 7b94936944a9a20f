/**
 * Limits as they hold: those of the configuration, and over them those that an operator set with `isomorph limits set`. These
 * stand in the metadata of the ledger's stream, which lasts as long as the deployment; services may read them, not write them.
 */
import { type JetStreamManager, jetstreamManager, type StreamInfo } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { isStreamMissing, isWithoutStorage } from '../../shared/nats/missing.ts';
import { COMMANDS_STREAM } from '../../shared/wire/commands.ts';
import { DEAD_KEPT_STREAM, lettersEach } from '../../shared/wire/dead.ts';
import { LEDGER_STREAM } from '../../shared/wire/ledger.ts';
import { MAX_BYTES_METADATA } from '../../shared/wire/scratch-streams.ts';
import { STREAMS } from '../../shared/wire/streams.ts';
import { LIMITS, type LimitKey, type Limits, type StreamLimitKey } from './config/limits.ts';
import { limitOfStream, requireRoom, type StreamUse, shareOf } from './stream-limits.ts';

const PREFIX = 'isomorph.limit.';

export const metadataKey = (key: LimitKey): string => `${PREFIX}${LIMITS[key].name}`;

type Metadata = Readonly<Record<string, string>> | undefined;

/** What an operator set; what this version cannot read counts as not set. */
export function setLimits(metadata: Metadata): Partial<Limits> {
  const entries = Object.entries(LIMITS).flatMap(([key, { parse }]) => {
    const text = metadata?.[metadataKey(key as LimitKey)];
    const value = text === undefined ? undefined : parse(text);
    return value === undefined ? [] : [[key, value] as const];
  });
  return Object.fromEntries(entries);
}

/** The limits that hold now. @throws ERR_UNAVAILABLE when the server does not answer */
export async function limitsInForce<C extends Limits>(connection: NatsConnection, configured: C): Promise<C> {
  try {
    const jsm = await jetstreamManager(connection, { checkAPI: false });
    const { config } = await jsm.streams.info(LEDGER_STREAM);
    return { ...configured, ...setLimits(config.metadata) };
  } catch (error) {
    // Before setup nothing was set.
    if (isStreamMissing(error)) return configured;
    throw new IsomorphError('ERR_UNAVAILABLE', `the limits cannot be read: ${(error as Error).message}`, {}, error);
  }
}

const OURS = new Set(STREAMS.map(({ name }) => name));

const useOf = ({ config, state }: StreamInfo): StreamUse => ({
  stream: config.name,
  bytes: state.bytes,
  limitBytes: Number(config.metadata?.[MAX_BYTES_METADATA] ?? config.max_bytes),
});

/** What each stream of ours holds, beside its limit; of one that has none the limit is not above 0. */
export async function streamUses(jsm: Pick<JetStreamManager, 'streams'>): Promise<StreamUse[]> {
  const uses: StreamUse[] = [];
  for await (const info of jsm.streams.list()) if (OURS.has(info.config.name)) uses.push(useOf(info));
  return uses;
}

export interface LimitChange {
  readonly key: LimitKey;
  /** Undefined: as configured again. */
  readonly value: number | undefined;
  /** On the disk of the streams; undefined where nobody can look. */
  readonly freeBytes: number | undefined;
}

/** Limits that admission reads while it runs. */
const LIVE: ReadonlySet<LimitKey> = new Set<LimitKey>([
  'openPlansOfPrincipal',
  'openPlans',
  'endBytesOfPrincipal',
  'rejectedBytesOfPrincipal',
  'rejectedBytes',
]);

/**
 * Sets a limit as an operator, over what is configured: those of streams and of who commands hold at once. A stream that holds more
 * takes nothing new until it holds less; nothing that it must keep goes.
 * @returns from when on it holds
 * @throws ERR_NO_ROOM when the streams could then grow beyond their disk; ERR_UNAVAILABLE when the server refuses
 */
export async function changeLimit(
  { streams }: Pick<JetStreamManager, 'streams'>,
  { key, value, freeBytes }: LimitChange,
): Promise<'now' | 'next start'> {
  try {
    const uses = await streamUses({ streams });
    const changed = value === undefined ? [] : changedUses(uses, key, value);
    if (freeBytes !== undefined) requireRoom(uses, changed, freeBytes);
    await setMetadata(streams, LEDGER_STREAM, metadataKey(key), value === undefined ? undefined : String(value));
    for (const { stream, limitBytes } of changed) {
      const { allow_msg_schedules: hasSchedules } = (await streams.info(stream)).config;
      if (hasSchedules) await setMetadata(streams, stream, MAX_BYTES_METADATA, String(limitBytes));
      else await streams.update(stream, { max_bytes: limitBytes });
    }
    if (key === 'waitingCommands' && value !== undefined) {
      await streams.update(COMMANDS_STREAM, { max_msgs_per_subject: value });
      return 'now';
    }
    if (key === 'deadLettersOfPrincipal' && value !== undefined) {
      await streams.update(DEAD_KEPT_STREAM, { max_msgs_per_subject: lettersEach(value) });
      return 'now';
    }
    return changed.length > 0 || LIVE.has(key) ? 'now' : 'next start';
  } catch (error) {
    if (error instanceof IsomorphError) throw error;
    if (isWithoutStorage(error)) {
      const expected = 'a larger jetstream.max_file_store of nats-server, or a smaller limit';
      throw new IsomorphError('ERR_NO_ROOM', `nats-server may not use that much of its disk`, { expected }, error);
    }
    const who = 'NATS_URL with the credentials of an admin';
    const why = `the limit cannot be set: ${(error as Error).message}`;
    throw new IsomorphError('ERR_UNAVAILABLE', why, { expected: who }, error);
  }
}

const changedUses = (uses: readonly StreamUse[], key: LimitKey, value: number): StreamUse[] =>
  uses
    .filter(({ stream }) => limitOfStream(stream) === key)
    .map((use) => ({ ...use, limitBytes: shareOf(key as StreamLimitKey, value) }));

async function setMetadata(
  streams: JetStreamManager['streams'],
  stream: string,
  name: string,
  value: string | undefined,
): Promise<void> {
  const { metadata = {} } = (await streams.info(stream)).config;
  const { [name]: _, ...others } = metadata;
  await streams.update(stream, { metadata: { ...others, ...(value === undefined ? {} : { [name]: value }) } });
}
