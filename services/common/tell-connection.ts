import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';

const MINUTE_MS = 60_000;

/** Says when the server of NATS is away, once a minute for as long as that lasts, and when it is back. Ends with the connection. */
export async function tellOfConnection(
  connection: Pick<NatsConnection, 'status'>,
  log: Logger,
  everyMs: number = MINUTE_MS,
): Promise<void> {
  let awaySinceMs: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  const awayS = (): number => Math.round((performance.now() - (awaySinceMs ?? performance.now())) / 1000);
  const tell = (): void => log.warn({ away_s: awayS() }, 'NATS cannot be reached; it is tried again');
  for await (const { type } of connection.status()) {
    if (type === 'disconnect' && awaySinceMs === undefined) {
      awaySinceMs = performance.now();
      tell();
      timer = setInterval(tell, everyMs).unref();
    }
    if (type === 'reconnect') {
      clearInterval(timer);
      log.warn({ away_s: awayS() }, 'NATS is back');
      awaySinceMs = undefined;
    }
  }
  clearInterval(timer);
}
