import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';

type Transport = typeof import('@nats-io/transport-node');

const AGAIN_MS = 200;
/** A busy process answers the server's greeting too late: that says nothing of its password. */
const TOO_LATE = /timeout/i;

/** By its name: its class may be that of another copy of the package. */
const isRefusal = (error: unknown): boolean =>
  error instanceof Error && error.name === 'AuthorizationError' && !TOO_LATE.test(error.message);

/**
 * A connection that waits for its server, and outlives restarts of it. Once it was there it is for ever: passwords are changed here and on
 * the server one after the other.
 * @throws TypeError for what is no URL, `AuthorizationError` of NATS when the password is refused from the first
 */
export async function connectTo(url: string, name: string): Promise<NatsConnection> {
  // Of URL itself the error quotes what it was given, with its password.
  if (!URL.canParse(url)) throw new TypeError('nats: expected nats://user:password@host:port');
  const loaded: Transport & { readonly default?: Transport } = await import('@nats-io/transport-node');
  // Bundlers may give a package in CommonJS as its default alone.
  const { connect } = loaded.default ?? loaded;
  const { host, username, password, protocol } = new URL(url);
  const login = username === '' ? {} : { user: decodeURIComponent(username), pass: decodeURIComponent(password) };
  const options = {
    servers: host,
    ...login,
    ...(protocol === 'tls:' ? { tls: {} } : {}),
    name,
    maxReconnectAttempts: -1,
    reconnectTimeWait: AGAIN_MS,
    ignoreAuthErrorAbort: true,
    // Else the client captures a stack for every request, in case it fails.
    noAsyncTraces: true,
  };
  for (;;) {
    try {
      return await connect(options);
    } catch (error) {
      if (isRefusal(error)) throw error;
      await sleep(AGAIN_MS);
    }
  }
}
