import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';
import { IsomorphError } from '../errors/isomorph-error.ts';

export interface ConnectOptions {
  /** `nats://[user:password@]host:port`. */
  readonly url: string;
  /** Shown by the server in its connection list. */
  readonly name: string;
  /** Keep trying at start for this long; a service may be up before its server. */
  readonly waitMs?: number;
}

/** Credentials of a NATS URL become options: a server list must not carry them. */
function toOptions(url: string): NodeConnectionOptions {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (error) {
    throw new IsomorphError('ERR_CONFIG', 'the NATS URL is malformed', { expected: 'nats://host:port' }, error);
  }
  const user = decodeURIComponent(parsed.username);
  const pass = decodeURIComponent(parsed.password);
  return {
    servers: parsed.host,
    ...(user === '' ? {} : { user, pass }),
    ...(parsed.protocol === 'tls:' ? { tls: {} } : {}),
  };
}

/** A busy client answers the server's greeting too late: that says nothing of its credentials, and passes. */
const AUTHENTICATION_TIMEOUT = /authentication timeout/i;
/** So long is a greeting tried again, also by one who would not wait for a server. */
const GREETING_WAIT_MS = 15_000;

/**
 * A connection that outlives restarts of its server: it reconnects for ever, every 200 ms and jitter.
 * @throws ERR_CONFIG for a malformed URL or refused credentials, ERR_UNAVAILABLE when no server answers.
 */
export async function connectNats({ url, name, waitMs = 0 }: ConnectOptions): Promise<NatsConnection> {
  const options = toOptions(url);
  const startedMs = performance.now();
  for (;;) {
    try {
      return await connect({
        ...options,
        name,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 200,
        pingInterval: 20_000,
        ignoreClusterUpdates: true,
        // A greeting that came too late twice must not end a connection that is to last for ever.
        ignoreAuthErrorAbort: true,
        // Else the client captures a stack for every request, in case it fails: a tenth of the CPU of a busy connection.
        noAsyncTraces: true,
      });
    } catch (error) {
      const text = error instanceof Error ? `${error.name} ${error.message}` : '';
      const isLate = AUTHENTICATION_TIMEOUT.test(text);
      if (!isLate && /authorization/i.test(text)) {
        throw new IsomorphError('ERR_CONFIG', `NATS at ${options.servers} refuses the credentials`, {}, error);
      }
      const patienceMs = isLate ? Math.max(waitMs, GREETING_WAIT_MS) : waitMs;
      if (performance.now() - startedMs >= patienceMs) {
        throw new IsomorphError('ERR_UNAVAILABLE', `no NATS server answers at ${options.servers}`, {}, error);
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
