import { readdir, readFile } from 'node:fs/promises';
import type pg from 'pg';
import { IsomorphError } from '../errors/isomorph-error.ts';
import { cidOf } from '../hash/cid.ts';
import { transaction } from './postgres.ts';
import { columnsOf, TABLE_NAMES, type TableName } from './tables.ts';

/** One numbered file of SQL. */
export interface Migration {
  /** Its file name, `0001_init.sql`: migrations apply in this order. */
  readonly name: string;
  readonly sql: string;
  /** CID of the file. */
  readonly checksum: string;
}

/** Any number will do that no other user of the database takes for a lock. */
const LOCK_KEY = 7_599_111_540_926_015;

const OWN_FOLDER = new URL('./migrations/', import.meta.url);

/** The migrations of a folder, in order. */
export async function readMigrations(folder: URL = OWN_FOLDER): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(new URL(name, folder), 'utf8');
      return { name, sql, checksum: cidOf(sql) };
    }),
  );
}

/** Held until the transaction ends: one migrates, the others wait and then find nothing to do. */
const lock = (client: pg.PoolClient): Promise<unknown> => client.query('select pg_advisory_xact_lock($1)', [LOCK_KEY]);

async function prepare(pool: pg.Pool): Promise<void> {
  await transaction(pool, async (client) => {
    await lock(client);
    await client.query('create schema if not exists isomorph');
    await client.query(
      `create table if not exists isomorph.migrations (
         name text primary key, checksum text not null, applied_at timestamptz not null default now())`,
    );
  });
}

function checkApplied(known: readonly Migration[], applied: ReadonlyMap<string, string>): void {
  for (const [name, checksum] of applied) {
    const file = known.find((one) => one.name === name);
    if (file === undefined) {
      throw new IsomorphError('ERR_CONFIG', `the database has migration ${name}, which this version does not know`, {
        pointer: name,
        expected: 'the version of Isomorph that last used this database, or a newer one',
      });
    }
    if (file.checksum !== checksum) {
      throw new IsomorphError('ERR_CONFIG', `migration ${name} was changed after it was applied`, {
        pointer: name,
        expected: `a file with the CID ${checksum}`,
      });
    }
  }
}

/** Applies one migration unless another process was first. */
const apply = (pool: pg.Pool, known: readonly Migration[], migration: Migration): Promise<boolean> =>
  transaction(pool, async (client) => {
    await lock(client);
    const { rows } = await client.query<{ name: string; checksum: string }>(
      'select name, checksum from isomorph.migrations',
    );
    const applied = new Map(rows.map(({ name, checksum }) => [name, checksum]));
    checkApplied(known, applied);
    if (applied.has(migration.name)) return false;
    await client.query(migration.sql);
    await client.query('insert into isomorph.migrations (name, checksum) values ($1, $2)', [
      migration.name,
      migration.checksum,
    ]);
    return true;
  });

/**
 * Gives the tables that are there the columns of the list that they lack, and projects anew: plans that an earlier version
 * projected have what the new ones tell, too.
 */
const addColumns = (pool: pg.Pool): Promise<void> =>
  transaction(pool, async (client) => {
    await lock(client);
    const { rows } = await client.query<{ table: TableName; columns: string[] }>(
      `select table_name as table, array_agg(column_name::text) as columns from information_schema.columns
       where table_schema = 'isomorph' and table_name = any($1) group by table_name`,
      [TABLE_NAMES],
    );
    const missing = rows.flatMap(({ table, columns }) =>
      columnsOf(table)
        .filter(([name]) => !columns.includes(name))
        .map(([name, type]) => `alter table isomorph.${table} add column ${name} ${type}`),
    );
    if (missing.length === 0) return;
    for (const statement of missing) await client.query(statement);
    await client.query('update isomorph.position set stream_seq = 0');
  });

/**
 * Brings the schema `isomorph` up to date, each migration in a transaction of its own; any number of processes may
 * call it at once. Columns that are in the list of `columns.ts` alone need none.
 * @returns names of the migrations that this call applied
 * @throws ERR_CONFIG when an applied file was changed, or the database is newer than this version; errors of `pg`
 */
export async function migrate(pool: pg.Pool, migrations?: readonly Migration[]): Promise<string[]> {
  const known = migrations ?? (await readMigrations());
  await prepare(pool);
  const applied: string[] = [];
  for (const migration of known) {
    if (await apply(pool, known, migration)) applied.push(migration.name);
  }
  await addColumns(pool);
  return applied;
}
