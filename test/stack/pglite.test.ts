import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect as connectSocket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import * as assert from 'uvu/assert';
import type { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { ensureDataFolder } from '../../stack/postgres/data-folder.ts';
import { fenceExchanges } from '../../stack/postgres/exchange-fence.ts';
import { openPostgres } from '../../stack/postgres/open.ts';
import { guardSocket } from '../../stack/postgres/password-gate.ts';
import { type PgliteHandle, startPglite } from '../../stack/postgres/pglite.ts';
import { type ChildEnd, isAlive } from '../../stack/process.ts';
import { suite } from '../harness/suite.ts';
import { gone, startParent, withTempDir } from './fixture.ts';

const test = suite('stack pglite');

/** A pool whose idle connections may be cut: the tests kill servers. */
function poolOf(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  pool.on('error', () => undefined);
  return pool;
}

/** Making a data folder takes seconds, so the tests that only use a server share one. */
let dir = '';
let server: PgliteHandle;

test.before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'isomorph-stack-'));
  server = await startPglite({ dir });
});

test.after(async () => {
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

test('rows and the port stay over a half-made start, the death of the parent, a SIGKILL and a stop', async () => {
  await withTempDir(async (dir) => {
    // What a first start leaves that was killed while it made the data folder.
    await mkdir(join(dir, 'data.new'));
    await writeFile(join(dir, 'data.new', 'PG_VERSION'), '1');
    const parent = await startParent('pglite', dir);
    await parent.kill();
    await gone(parent.serverPid);

    let reportEnd: (end: ChildEnd) => void = () => undefined;
    const reported = new Promise<ChildEnd>((resolve) => {
      reportEnd = resolve;
    });
    const first = await startPglite({ dir, onExit: reportEnd });
    const pool = poolOf(first.url);
    await pool.query('create table kept (n int)');
    await pool.query('insert into kept values ($1)', [1]);
    process.kill(first.pid, 'SIGKILL');
    assert.equal(await reported, { code: null, signal: 'SIGKILL' });
    await pool.end();

    const second = await startPglite({ dir, onExit: () => assert.unreachable('a stop was reported as an exit') });
    const secondPool = poolOf(second.url);
    await secondPool.query('insert into kept values ($1)', [2]);
    await secondPool.end();
    await second.stop();
    assert.not(await isAlive(second.pid));

    const third = await startPglite({ dir });
    const thirdPool = poolOf(third.url);
    const { rows } = await thirdPool.query('select n from kept order by n');
    assert.equal(rows, [{ n: 1 }, { n: 2 }]);
    assert.is(third.url, first.url);
    await thirdPool.end();
    await third.stop();
  });
});

test('a data folder is a copy of the empty database that was made once for this version', async () => {
  await withTempDir(async (dir) => {
    const cache = join(dir, 'cache');
    await ensureDataFolder(join(dir, 'first'), cache);
    const [version = ''] = (await readdir(join(cache, 'pglite'))).filter((name) => !name.startsWith('.'));
    await writeFile(join(cache, 'pglite', version, 'marked'), '');
    await ensureDataFolder(join(dir, 'second'), cache);
    assert.ok((await readdir(join(dir, 'second'))).includes('marked'));
    assert.equal(await readdir(join(cache, 'pglite')), [version]);
    // What is there is never made anew.
    await writeFile(join(dir, 'first', 'own'), '');
    await ensureDataFolder(join(dir, 'first'), cache);
    assert.ok((await readdir(join(dir, 'first'))).includes('own'));
  });
});

test('concurrent clients get their own answers: queries with parameters, failures and transactions', async () => {
  const { url } = server;
  const pools = [poolOf(url), poolOf(url), poolOf(url)];
  await pools[0]?.query('create table work (client int, n int)');
  const task = async (pool: pg.Pool, client: number, n: number): Promise<void> => {
    const { rows } = await pool.query('select $1::int as client, $2::text as n', [client, `${n}`]);
    assert.equal(rows, [{ client, n: `${n}` }]);
    await pool.query('select missing from work where n = $1', [n]).then(
      () => assert.unreachable('a wrong query was answered'),
      (error: Error) => assert.match(error.message, 'missing'),
    );
    const connection = await pool.connect();
    await connection.query('begin');
    await connection.query('insert into work values ($1, $2)', [client, n]);
    await connection.query(n % 2 === 0 ? 'commit' : 'rollback');
    connection.release();
  };
  await Promise.all(pools.flatMap((pool, client) => Array.from({ length: 40 }, (_, n) => task(pool, client, n))));
  const { rows } = (await pools[0]?.query('select client, count(*)::int as n from work group by 1 order by 1')) ?? {};
  assert.equal(
    rows,
    [0, 1, 2].map((client) => ({ client, n: 20 })),
  );
  await Promise.all(pools.map((pool) => pool.end()));
});

test('a client that leaves in the middle of a query or of a transaction does not hold up the others', async () => {
  const { url, port } = server;
  const pool = poolOf(url);
  const leaver = connectSocket(port, '127.0.0.1');
  leaver.write(frontendMessage('', '\0\x03\0\0user\0postgres\0database\0postgres\0\0'));
  await once(leaver, 'data');
  leaver.write(frontendMessage('p', `${new URL(url).password}\0`));
  await once(leaver, 'data');
  leaver.write(frontendMessage('P', '\0select $1::int\0\0\0'));
  leaver.write(frontendMessage('H', ''));
  await once(leaver, 'data');
  const waiting = pool.query('select $1::text as answer', ['mine']);
  leaver.destroy();
  assert.equal((await waiting).rows, [{ answer: 'mine' }]);

  const quitter = new pg.Client({ connectionString: url });
  quitter.on('error', () => undefined);
  await quitter.connect();
  await quitter.query('begin');
  await quitter.query('create table undone (n int)');
  (quitter as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  assert.equal((await pool.query('select to_regclass($1) as found', ['undone'])).rows, [{ found: null }]);
  await pool.end();
});

/** One message of the Postgres protocol: type (none for the first), length, body. */
function frontendMessage(type: string, body: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(4 + Buffer.byteLength(body, 'latin1'));
  return Buffer.concat([Buffer.from(type, 'latin1'), length, Buffer.from(body, 'latin1')]);
}

test('a client with a wrong password that never closes keeps no connection', async () => {
  const closed: Promise<unknown>[] = [];
  const gate = createServer((socket) => {
    closed.push(once(socket, 'close'));
    guardSocket(socket, 'right', () => assert.unreachable('it was let in'));
  });
  await once(gate.listen(0, '127.0.0.1'), 'listening');
  const stranger = connectSocket({
    port: (gate.address() as AddressInfo).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
  });
  stranger.write(frontendMessage('', '\0\x03\0\0user\0postgres\0\0'));
  await once(stranger, 'data');
  stranger.write(frontendMessage('p', 'wrong\0'));
  const [refusal] = (await once(stranger, 'data')) as [Buffer];
  assert.match(refusal.toString(), '28P01');
  await Promise.all(closed);
  stranger.destroy();
  gate.close();
});

test('it asks for a password, and refuses whatever only a superuser may', async () => {
  const { url } = server;
  for (const wrong of ['', 'postgres']) {
    const stranger = new URL(url);
    stranger.password = wrong;
    const client = new pg.Client({ connectionString: stranger.href, password: wrong });
    client.on('error', () => undefined);
    await client.connect().then(
      () => assert.unreachable(`the password ${wrong} was taken`),
      (error: { code?: string }) => assert.is(error.code, '28P01'),
    );
  }
  const pool = poolOf(url);
  const superusers = [
    "copy (select 1) to program 'true'",
    "copy (select 1) to '/tmp/out'",
    "select pg_read_file('/etc/passwd')",
    'alter system set fsync = off',
    'create role other superuser',
    'alter role isomorph superuser',
    "do $$ begin execute 'reset session ' || 'authorization'; end $$",
    "select set_config('session_authorization', 'postgres', false)",
    "update pg_settings set setting = 'postgres' where name = 'session_authorization'",
    'set session authorization postgres',
    'set session session authorization postgres',
    'begin; set local session authorization postgres; alter role isomorph superuser',
    "set local session_authorization = 'postgres'",
    '/* so */ reset /* /* or */ so */ session authorization',
    "select 1; set session_authorization = 'postgres'",
    'set "session_authorization" to postgres',
    "select '\\'; reset session authorization; --'",
    "select E'a'\n'b\\''; set session authorization postgres; --'",
    "select e'a' -- so\n\f--\r'b'\t\n '\\''; set session authorization postgres; --'",
    // Where a literal does not go on, the next one has no escapes.
    "do E'a' 'b\\'; set session authorization postgres; --'",
    "select E'a' /*\n*/ || 'b\\'; set session authorization postgres; --'",
    "select 'a'\n'b\\'; set session authorization postgres; --'",
    "select U&'a'\n'b\\\\'; set session authorization postgres; --'",
    "select N'a'\n'b\\'; set session authorization postgres; --'",
    "select B'1'\n'0'; set session authorization postgres; --'",
    "select X'1'\n'0'; set session authorization postgres; --'",
    "select $a$ $b$a$ as x; set session authorization postgres; --'",
    "select 'a' /* /* */ */; set session authorization postgres; --'",
    'discard all',
    'set role postgres',
  ];
  for (const statement of superusers) {
    await pool.query(statement).then(
      () => assert.unreachable(statement),
      (error: { code?: string }) => assert.is(error.code, '42501', statement),
    );
  }
  const { rows } = await pool.query("select session_user::text as name, current_setting('is_superuser') as super");
  assert.equal(rows, [{ name: 'isomorph', super: 'off' }]);
  await pool.end();
});

test('a session that answers no query any more is told of, so that its process ends and is started anew', async () => {
  const db = await PGlite.create('memory://');
  const broken: unknown[] = [];
  const fenced = fenceExchanges(db, (thrown) => void broken.push(thrown));
  const ask = async (sql: string): Promise<unknown> =>
    fenced
      .execProtocolRawStream(frontendMessage('Q', `${sql}\0`), { onRawData: () => undefined })
      .catch(() => 'failed');
  await ask('select 1; select');
  await ask('no such statement');
  await ask('');
  // A statement that cannot be parsed: up to Sync all that follows is skipped.
  const send = (type: string, body: string) =>
    fenced.execProtocolRawStream(frontendMessage(type, body), { onRawData: () => undefined });
  await send('P', '\0no such statement\0\0\0');
  for (const skipped of ['select 1', 'select 2']) assert.not(await ask(skipped));
  assert.is(fenced.isInTransaction(), true, 'nobody else comes between');
  await send('S', '');
  await ask('select 1');
  assert.equal([fenced.isInTransaction(), broken], [false, []]);
  // What no role of a client may: Postgres panics over it.
  assert.is(await ask("copy (select 1) to program 'true'"), 'failed');
  assert.match(String(broken[0]), 'not answered');
});

test('DATABASE_URL wins over PGlite, and is refused in words that do not show it', async () => {
  const { url } = server;
  const unused = join(dir, 'unused');
  const opened = await openPostgres({ env: { DATABASE_URL: url }, dir: unused });
  assert.equal([opened.url, opened.source, opened.pid], [url, 'DATABASE_URL', undefined]);
  await opened.stop();
  const pool = poolOf(url);
  assert.equal((await pool.query('select 1 as one')).rows, [{ one: 1 }], 'a server of somebody else is left running');
  await pool.end();
  const refusal = async (DATABASE_URL: string): Promise<IsomorphError> =>
    (await openPostgres({ env: { DATABASE_URL }, dir: unused }).catch((thrown: unknown) => thrown)) as IsomorphError;
  assert.is((await refusal('mysql://root:hunter2@127.0.0.1/x')).code, 'ERR_CONFIG');
  const unreachable = await refusal('postgres://root:hunter2@127.0.0.1:1/x');
  assert.is(unreachable.code, 'ERR_UNAVAILABLE');
  assert.not.match(unreachable.message, 'hunter2');
  assert.not(existsSync(unused));
});

test.run();
