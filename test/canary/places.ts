/** Everything that a deployment keeps or says, as bytes. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import pg from 'pg';
import type { TestStack } from '../harness/stack.ts';
import type { Source } from './search.ts';

const source = (place: string, ...parts: readonly (string | Uint8Array)[]): Source => ({
  place,
  bytes: Buffer.concat(parts.flatMap((part) => [Buffer.from(part), Buffer.from('\n')])),
});

const isGone = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Every file below the home of the stack: stores of NATS and Postgres, artifacts, logs, state of the runtimes. */
export async function* filesOf({ home }: TestStack): AsyncGenerator<Source> {
  for (const entry of await readdir(home, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    // Servers at work replace their files.
    const bytes = await readFile(file).catch((error: unknown) => (isGone(error) ? undefined : Promise.reject(error)));
    if (bytes !== undefined) yield { place: `file ${path.relative(home, file)}`, bytes };
  }
}

/** Every message of every stream: the ledger on disk is compressed. */
export async function* messagesOf({ core }: TestStack): AsyncGenerator<Source> {
  const manager = await jetstreamManager(core);
  for await (const { config, state } of manager.streams.list()) {
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const message = await manager.streams.getMessage(config.name, { seq }).catch(() => null);
      if (message === null) continue;
      const headers = [...message.header].flatMap(([key, values]) => [key, ...values]);
      yield source(`stream ${config.name}`, message.subject, ...headers, message.data);
    }
  }
}

/** Every row of every table. */
export async function* rowsOf({ stack }: TestStack): AsyncGenerator<Source> {
  const client = new pg.Client({ connectionString: stack.info.postgres.url });
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ name: string }>(
      `select quote_ident(table_schema) || '.' || quote_ident(table_name) as name from information_schema.tables
       where table_schema not in ('pg_catalog', 'information_schema')`,
    );
    for (const { name } of tables) {
      const { rows } = await client.query<Record<string, unknown>>(`select * from ${name}`);
      const values = rows.flatMap((row) => Object.values(row));
      yield source(
        `table ${name}`,
        ...values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))),
      );
    }
  } finally {
    await client.end();
  }
}

/** Every artifact, logs of executions included, as readers get it. */
export async function* artifactsOf({ store }: TestStack): AsyncGenerator<Source> {
  let cursor: string | undefined;
  do {
    const page = await store.list({ prefix: '/artifacts/', ...(cursor === undefined ? {} : { cursor }) });
    for (const { path: worldPath } of page.entries) {
      yield source(`artifact ${worldPath}`, worldPath, await store.getBytes({ worldPath }));
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
}

export interface Wiretap {
  sources(): Promise<Source[]>;
  stop(): void;
}

/** Every message that services send while it is on, kept by a stream or not. */
export async function tapWire({ core }: TestStack): Promise<Wiretap> {
  const heard: Source[] = [];
  const subscription = core.subscribe('>', {
    callback: (error, message) => {
      if (error === null) heard.push(source('wire', message.subject, String(message.headers ?? ''), message.data));
    },
  });
  await core.flush();
  return {
    async sources() {
      // What was sent before is heard before the answer.
      await core.flush();
      return heard;
    },
    stop: () => subscription.unsubscribe(),
  };
}
