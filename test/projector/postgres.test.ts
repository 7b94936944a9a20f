/** The schema and the projector on a real Postgres, where connections really are apart. */
import pg from 'pg';
import * as assert from 'uvu/assert';
import type { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { fsck } from '../../shared/fsck/fsck.ts';
import { type Migration, migrate, readMigrations } from '../../shared/projection/migrate.ts';
import { columnsOf, TABLE_NAMES } from '../../shared/projection/tables.ts';
import { available, type RunningServer, startPostgres } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { FATAL, type Postgres, withWorld } from './world-fixture.ts';

const test = suite('projection on Postgres');
const found = await available('postgres');
test.skipUnless(found.ok, found.ok ? '' : found.reason);

let server: RunningServer;
let postgres: Postgres;
let pool: pg.Pool;

test.before(async () => {
  server = await startPostgres();
  pool = new pg.Pool({ connectionString: server.url, max: 8 });
  // Idle connections are cut by a test.
  pool.on('error', () => undefined);
  postgres = { url: server.url, restart: async () => undefined, stop: () => server.stop() };
});

test.after(async () => {
  await pool.end();
  await server.stop();
});

const drop = () => pool.query('drop schema if exists isomorph cascade');

async function refusal(migrations: readonly Migration[]): Promise<IsomorphError> {
  return migrate(pool, migrations).then(
    () => assert.unreachable('it was accepted'),
    (error: IsomorphError) => error,
  ) as Promise<IsomorphError>;
}

const migration = (name: string, sql: string): Migration => ({ name, sql, checksum: `of ${sql}` });

test('migrating by many at once applies each migration once; again, nothing', async () => {
  await drop();
  const all = await readMigrations();
  const applied = await Promise.all(Array.from({ length: 6 }, () => migrate(pool)));
  // Which of the six applies which one is chance.
  assert.equal(
    applied.flat().sort(),
    all.map(({ name }) => name),
  );
  assert.equal(await migrate(pool), []);
});

test('the tables have the columns that rows are written to, and no others', async () => {
  await drop();
  await migrate(pool);
  for (const table of TABLE_NAMES) {
    const { rows } = await pool.query<{ name: string; type: string }>(
      `select column_name as name, replace(data_type, 'timestamp with time zone', 'timestamptz') as type
       from information_schema.columns where table_schema = 'isomorph' and table_name = $1 order by ordinal_position`,
      [table],
    );
    assert.equal(
      rows.map(({ name, type }) => [name, type]),
      columnsOf(table),
    );
  }
});

test('a column that the database lacks, as one of an earlier version does, is made, and the plans are projected anew', async () => {
  await withWorld(postgres, async (world) => {
    const before = await world.startProjector();
    await world.projectedTo(await world.author.wholeLife('plan-1'));
    await before.stop();
    await pool.query('alter table isomorph.plans drop column policy');
    await world.startProjector();
    await world.projectedTo(await world.author.wholeLife('plan-2'));
    const { rows } = await pool.query('select policy from isomorph.plans');
    assert.equal(rows, [{ policy: 'default' }, { policy: 'default' }]);
  });
});

test('a changed file, an unknown migration and one that fails are refused, and change nothing', async () => {
  await drop();
  const first = migration('0001_a.sql', 'create table isomorph.a (n int)');
  await migrate(pool, [first]);
  const changed = await refusal([migration('0001_a.sql', 'create table isomorph.a (n bigint)')]);
  assert.equal(
    [changed.code, changed.place.pointer, changed.place.expected?.includes(first.checksum)],
    ['ERR_CONFIG', '0001_a.sql', true],
  );
  assert.is((await refusal([migration('0002_b.sql', 'select 1')])).code, 'ERR_CONFIG');
  const failing = migration('0002_b.sql', 'create table isomorph.b (n int); select nonsense');
  await refusal([first, failing]);
  const { rows } = await pool.query(
    "select to_regclass('isomorph.b') as b, (select count(*) from isomorph.migrations) as n",
  );
  assert.equal(rows, [{ b: null, n: '1' }]);
  assert.equal(await migrate(pool, [first, migration('0002_b.sql', 'create table isomorph.b (n int)')]), [
    '0002_b.sql',
  ]);
});

test('two projectors, whose connections are cut again and again: every row once, and fsck finds nothing', async () => {
  await withWorld(postgres, async (world) => {
    const other = world.newPool();
    await Promise.all([world.startProjector(), world.startProjector({ pool: other })]);
    const names = Array.from({ length: 8 }, (_, index) => `plan-${index}`);
    const cut = async () =>
      pool.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and query <> $1',
        [''],
      );
    const ends: number[] = [];
    for (const name of names) {
      ends.push(await world.author.wholeLife(name));
      await cut();
    }
    await world.projectedTo(Math.max(...ends));
    const report = await fsck({ connection: world.connection, pool, store: world.store });
    assert.equal(report.findings, []);
    assert.equal(
      report.ledger.plans.map(({ planId }) => planId),
      names,
    );
    assert.is(world.logged.filter(({ level }) => level >= FATAL).length, 0);
  });
});

test.run();
