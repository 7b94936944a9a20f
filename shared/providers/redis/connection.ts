/** A connection to one Redis or Valkey, or to a cluster of them: the same to the drivers. */
import { readFile } from 'node:fs/promises';
import { Cluster, Redis } from 'ioredis';
import { IsomorphError } from '../../errors/isomorph-error.ts';
import type { ScratchOptions } from '../../scratch/options.ts';
import { guarded, isDemoted, redisFailure } from './faults.ts';
import { parseRedisUrl, type RedisLocation } from './location.ts';

export type RedisClient = Redis | Cluster;

/** A Lua script: runs as a whole or not at all, its keys all of one plan and so in one slot. */
export interface RedisScript {
  readonly name: string;
  readonly numberOfKeys: number;
  readonly lua: string;
}

const CONNECT_TIMEOUT_MS = 5000;
/** A server that takes a waiting read and stays silent: so long after the read should have ended. */
const WAIT_TIMEOUT_MS = 10_000;
const RECONNECT_MAX_MS = 1000;
/** Keys a SCAN looks at between two other commands of the server. */
const SCAN_COUNT = 1000;

async function optionsOf(at: RedisLocation) {
  const ca = at.caFile === undefined ? undefined : await readFile(at.caFile);
  return {
    ...(at.username === undefined ? {} : { username: at.username }),
    ...(at.password === undefined ? {} : { password: at.password }),
    ...(at.isTls ? { tls: ca === undefined ? {} : { ca } } : {}),
    connectionName: 'isomorph',
    // None a command: the wrapper limits the time of every operation, and a timer a command is dear.
    connectTimeout: CONNECT_TIMEOUT_MS,
    // Only reads that wait have one, since they keep their connection.
    blockingTimeout: WAIT_TIMEOUT_MS,
    blockingTimeoutGrace: WAIT_TIMEOUT_MS,
    // What was on its way when a connection broke may have been done. It fails at once, and is never sent again unseen: an
    // incr would count twice, an ack be reported as refused. Who asked decides.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
  };
}

const reconnectAfterMs = (times: number): number => Math.min(times * 50, RECONNECT_MAX_MS);

/** @param onDemoted told when the server says that it is not the one to ask; the library's own reconnecting would fail the next call */
function clientOf(
  at: RedisLocation,
  options: Awaited<ReturnType<typeof optionsOf>>,
  onDemoted: () => void,
): RedisClient {
  if (!at.isCluster) {
    const reconnectOnError = (error: Error): false => {
      if (isDemoted(error)) onDemoted();
      return false;
    };
    return new Redis({ ...options, ...at.nodes[0], db: at.db, retryStrategy: reconnectAfterMs, reconnectOnError });
  }
  return new Cluster([...at.nodes], {
    // 1: connect to that node anew, and do not send the command again.
    redisOptions: { ...options, reconnectOnError: (error) => (isDemoted(error) ? 1 : false) },
    // For the same reason: by default a command whose node went away is sent to the next one.
    retryDelayOnFailover: 0,
    lazyConnect: true,
    clusterRetryStrategy: reconnectAfterMs,
    // Certificates name hosts, so hosts are not to become addresses before the handshake.
    ...(at.isTls ? { dnsLookup: (address, done) => done(null, address) } : {}),
  });
}

export type RunScript = (...keysAndArguments: (string | number | Buffer)[]) => Promise<unknown>;

export class RedisConnection {
  readonly #make: (onDemoted: () => void) => RedisClient;
  readonly #prefix: string;
  #client: RedisClient;
  /** Connections for blocking reads: while one waits, nothing else passes through it. */
  readonly #idleWaiters: RedisClient[] = [];
  readonly #waiters = new Set<RedisClient>();
  #isClosed = false;

  constructor(make: (onDemoted: () => void) => RedisClient, prefix: string) {
    this.#make = make;
    this.#prefix = prefix;
    this.#client = this.#connect();
  }

  #connect(): RedisClient {
    const client: RedisClient = this.#make(() => {
      if (this.#client === client && !this.#isClosed) this.#connectAnew();
    });
    hear(client);
    return client;
  }

  /** The name may mean another server by now. What is under way at the old one fails, and the next call goes to the new one. */
  #connectAnew(): void {
    const before = [this.#client, ...this.#idleWaiters.splice(0)];
    this.#client = this.#connect();
    for (const client of before) client.disconnect();
  }

  /** @throws IsomorphError ERR_CONFIG, ERR_UNAVAILABLE */
  async opened(): Promise<void> {
    const client = this.#client;
    await guarded<unknown>('connect', () => (client instanceof Cluster ? client.connect() : client.ping()));
  }

  /** @throws IsomorphError ERR_UNAVAILABLE while a cluster is away: the library would keep a command until it is back. */
  get client(): RedisClient {
    if (this.#client instanceof Cluster && this.#client.status !== 'ready') {
      throw new IsomorphError('ERR_UNAVAILABLE', 'redis: the cluster cannot be reached');
    }
    return this.#client;
  }

  /** Where all that one primitive holds for a plan begins. The braces keep a plan in one slot of a cluster. */
  planPrefix(primitive: 'kv' | 'queue', planId: string): string {
    return `${this.#prefix}:${primitive}:{${planId}}:`;
  }

  /** What runs a script by its hash; strings in its answer are buffers. @throws as `client` does, at once */
  script({ name, numberOfKeys, lua }: RedisScript): RunScript {
    this.#client.defineCommand(name, { numberOfKeys, lua });
    const run = Reflect.get(this.#client, `${name}Buffer`) as RunScript;
    const failure = redisFailure(name);
    return (...keysAndArguments) => run.apply(this.client, keysAndArguments).catch(failure);
  }

  /** Resolves when the stream has an entry after `lastId`, or when the time is up. */
  async waitForEntry(stream: string, lastId: string, timeoutMs: number): Promise<void> {
    const waiter = this.#idleWaiters.pop() ?? this.#newWaiter();
    try {
      await guarded('wait', async () => {
        // The client of a cluster connects when it is told to, the other one by itself.
        if (waiter.status === 'wait') await waiter.connect();
        await waiter.xread('COUNT', 1, 'BLOCK', Math.max(1, Math.ceil(timeoutMs)), 'STREAMS', stream, lastId);
      });
      this.#idleWaiters.push(waiter);
    } catch (error) {
      // It may be connected to a server that is not the one to ask any more.
      this.#waiters.delete(waiter);
      waiter.disconnect();
      throw error;
    }
  }

  /** Removes every key of a plan. Looks at all keys of the server, in short steps: plans are purged seldom, keys written often. */
  async purge(primitive: 'kv' | 'queue', planId: string): Promise<void> {
    const pattern = `${this.planPrefix(primitive, planId)}*`;
    await guarded('purge', async () => {
      const masters = this.client instanceof Cluster ? this.client.nodes('master') : [this.client];
      for (const master of masters) await this.#purgeNode(master, pattern);
    });
  }

  async #purgeNode(node: Redis, pattern: string): Promise<void> {
    let cursor = '0';
    do {
      const [next, keys] = await node.scanBuffer(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT);
      if (keys.length > 0) await node.unlink(...keys);
      cursor = next.toString();
    } while (cursor !== '0');
  }

  #newWaiter(): RedisClient {
    if (this.#isClosed) throw new IsomorphError('ERR_UNAVAILABLE', 'redis: this client was closed');
    const waiter = this.#client instanceof Cluster ? this.#client.duplicate() : this.#client.duplicate();
    hear(waiter);
    this.#waiters.add(waiter);
    return waiter;
  }

  /** What is under way fails; nothing of it is retried. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const client of [this.#client, ...this.#waiters]) client.disconnect();
  }
}

/** Every command gets the error that concerns it; without a listener the library prints them as well. */
function hear(client: RedisClient): void {
  client.on('error', () => undefined);
}

/** @throws IsomorphError ERR_CONFIG for an unusable URL or credentials, ERR_UNAVAILABLE */
export async function connectRedis(
  url: URL,
  { timeoutMs = CONNECT_TIMEOUT_MS }: Pick<ScratchOptions, 'timeoutMs'> = {},
): Promise<RedisConnection> {
  const at = parseRedisUrl(url);
  const options = await optionsOf(at).catch((cause: unknown) => {
    throw new IsomorphError('ERR_CONFIG', 'the file that ca= names cannot be read', { expected: 'a PEM file' }, cause);
  });
  const connection = new RedisConnection((onDemoted) => clientOf(at, options, onDemoted), at.prefix);
  // A server that accepts and says nothing. Closing the connection ends the ping.
  const silence = setTimeout(() => void connection.close(), timeoutMs);
  try {
    await connection.opened();
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  } finally {
    clearTimeout(silence);
  }
}
