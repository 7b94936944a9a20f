import { readFile } from 'node:fs/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Pool } from 'pg';
import { IsomorphError } from '../shared/errors/isomorph-error.ts';
import type { ArtifactStore } from '../shared/world/artifact-store.ts';
import type { Output } from './output.ts';
import { findPlace, type NatsUrls, type Place } from './place.ts';
import type { Terminal } from './terminal.ts';

const NO_STACK = 'no stack is running here: start one with `npm run dev`, or set NATS_URL';

type Role = keyof NatsUrls;

/**
 * What one command works with: its output and lazily opened connections, each made once and all closed at the end.
 * Every getter throws ERR_UNAVAILABLE when nothing runs here, and the errors of what it opens.
 */
export class Context {
  readonly out: Output;
  readonly terminal: Terminal;
  readonly #connections = new Map<string, Promise<NatsConnection>>();
  #place: Place | undefined;
  #pool: Promise<Pool | undefined> | undefined;
  #store: Promise<ArtifactStore> | undefined;

  constructor(out: Output, place?: Place) {
    this.out = out;
    this.terminal = out.terminal;
    this.#place = place;
  }

  get place(): Place {
    this.#place ??= findPlace(this.terminal);
    return this.#place;
  }

  /** A connection that may do what the role does; roles of one URL share one. */
  connection(role: Role): Promise<NatsConnection> {
    const { nats } = this.place;
    if (nats === undefined) throw new IsomorphError('ERR_UNAVAILABLE', NO_STACK);
    return this.connectTo(nats[role]);
  }

  connectTo(url: string): Promise<NatsConnection> {
    const connection = this.#connections.get(url) ?? this.#connect(url);
    this.#connections.set(url, connection);
    return connection;
  }

  async #connect(url: string): Promise<NatsConnection> {
    const { connectNats } = await import('../shared/nats/connect.ts');
    return connectNats({ url, name: 'isomorph-cli' });
  }

  /** Undefined when nothing names a Postgres. */
  pool(): Promise<Pool | undefined> {
    this.#pool ??= this.#openPool();
    return this.#pool;
  }

  async #openPool(): Promise<Pool | undefined> {
    const { databaseUrl } = this.place;
    if (databaseUrl === undefined) return undefined;
    const { default: pg } = await import('pg');
    const pool = new pg.Pool({ connectionString: databaseUrl, max: 2, connectionTimeoutMillis: 10_000 });
    // A lost idle connection is replaced by the pool; without a listener it would end the process.
    pool.on('error', (error) => this.out.note(`a Postgres connection was lost: ${error.message}`));
    return pool;
  }

  store(): Promise<ArtifactStore> {
    this.#store ??= this.#openStore();
    return this.#store;
  }

  async #openStore(): Promise<ArtifactStore> {
    const { artifacts } = this.place;
    if (artifacts === undefined) {
      throw new IsomorphError('ERR_UNAVAILABLE', NO_STACK.replace('NATS_URL', 'ARTIFACTS_URL'));
    }
    const { url, gatewayUrl, gatewayKeyFile } = artifacts;
    const { openArtifactStore } = await import('../shared/world/open.ts');
    const gatewaySecret = gatewayKeyFile === undefined ? undefined : await readFile(gatewayKeyFile);
    return openArtifactStore(url, {
      ...(gatewayUrl === undefined ? {} : { gatewayUrl }),
      ...(gatewaySecret === undefined ? {} : { gatewaySecret }),
    });
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.#connections.values());
    for (const result of opened) if (result.status === 'fulfilled') await result.value.close();
    const [pool, store] = await Promise.allSettled([this.#pool, this.#store]);
    if (pool.status === 'fulfilled') await pool.value?.end();
    if (store.status === 'fulfilled') await store.value?.close();
  }
}
