/** Streams of the embedded server that somebody deleted: noticed, told, and made anew by the one who may. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { lookEvery } from '../shared/async/look-every.ts';
import { IsomorphError } from '../shared/errors/isomorph-error.ts';
import { LEDGER_STREAM } from '../shared/wire/ledger.ts';
import { STREAMS } from '../shared/wire/streams.ts';

export interface TopologyWatchOptions {
  /** Of a user who may see all streams. */
  readonly connection: NatsConnection;
  readonly log: Logger;
  /** Makes what is missing. */
  setUp(): Promise<void>;
  /** The ledger is gone: it is never made anew. */
  onLedgerGone(error: IsomorphError): void;
  readonly everyMs: number;
}

async function missingStreams(connection: NatsConnection): Promise<string[]> {
  const jsm = await jetstreamManager(connection, { checkAPI: false });
  const found = new Set<string>();
  for await (const name of jsm.streams.names()) found.add(name);
  return STREAMS.map(({ name }) => name).filter((name) => !found.has(name));
}

/** Looks every `everyMs`: one request. A server that does not answer is for others to tell of. */
export function watchTopology(options: TopologyWatchOptions): { stop(): Promise<void> } {
  const { connection, log, setUp, onLedgerGone, everyMs } = options;
  const look = async (): Promise<void> => {
    const missing = await missingStreams(connection);
    if (missing.length === 0) return;
    if (missing.includes(LEDGER_STREAM)) {
      return onLedgerGone(new IsomorphError('ERR_LEDGER_GONE', `the stream ${LEDGER_STREAM} was deleted`));
    }
    log.error({ missing }, 'streams were gone: they are made anew');
    await setUp();
  };
  return lookEvery(everyMs, look, (error: unknown) => log.debug({ err: error }, 'the streams could not be looked at'));
}
