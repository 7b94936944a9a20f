import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { isStreamMissing } from '../../shared/nats/missing.ts';
import { ServerClock } from '../../shared/nats/server-clock.ts';
import { LEDGER_STREAM } from '../../shared/wire/ledger.ts';

/** Clocks of machines drift apart, and a server's is set now and then. */
const LEARN_EVERY_MS = 300_000;

/** A machine whose clock is off by more is told of. */
const TOLD_MS = 5_000;

/** Undefined before setup, when there is nothing that could be stamped. */
async function timeOf(manager: JetStreamManager): Promise<string | undefined> {
  try {
    return (await manager.streams.info(LEDGER_STREAM)).ts;
  } catch (error) {
    if (isStreamMissing(error)) return undefined;
    throw error;
  }
}

/**
 * The clock of the server as a service keeps it: asked when it has connected, after each lost connection and now and then.
 * It ends with the connection.
 * @throws ERR_UNAVAILABLE when the server does not answer
 */
export async function clockOf(connection: NatsConnection, log: Logger): Promise<ServerClock> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const clock = new ServerClock(() => timeOf(manager));
  const learn = async (): Promise<void> => {
    await clock.learn();
    const { aheadMs } = clock;
    if (Math.abs(aheadMs) <= TOLD_MS) return;
    const about = { ahead_s: Math.round(aheadMs / 1_000) };
    log.warn(about, 'the clock of this machine is off: that of the NATS server is used');
  };
  const again = (): void => {
    learn().catch((error: unknown) =>
      connection.isClosed() ? undefined : log.debug({ err: error }, 'the clock of the server is not known anew'),
    );
  };
  try {
    await learn();
  } catch (error) {
    throw new IsomorphError('ERR_UNAVAILABLE', `the time of NATS is not known: ${(error as Error).message}`, {}, error);
  }
  const timer = setInterval(again, LEARN_EVERY_MS).unref();
  const follow = async (): Promise<void> => {
    for await (const { type } of connection.status()) if (type === 'reconnect') again();
    clearInterval(timer);
  };
  follow().catch((error: unknown) =>
    log.error({ err: error }, 'nobody asks for the clock of the server after an outage'),
  );
  return clock;
}
