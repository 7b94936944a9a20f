import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type FsckOptions, type FsckReport, fsck } from '../../shared/fsck/fsck.ts';
import { LedgerReader } from '../../shared/fsck/ledger-reader.ts';
import { Journal } from '../../shared/journal/journal.ts';
import { encodeCommit, seal } from '../../shared/ledger/chain.ts';
import { hashEvent } from '../../shared/ledger/envelope.ts';
import type { LedgerEvent } from '../../shared/ledger/events.ts';
import { publish } from '../../shared/nats/publish.ts';
import { commitSubject } from '../../shared/wire/ledger.ts';
import { suite } from '../harness/suite.ts';
import { type Postgres, startTestPostgres, type TestWorld, withWorld } from '../projector/world-fixture.ts';

const test = suite('fsck');

let postgres: Postgres;

test.before(async () => {
  postgres = await startTestPostgres();
});

test.after(async () => {
  await postgres.stop();
});

const check = ({ connection, pool, store }: TestWorld, options: Partial<FsckOptions> = {}): Promise<FsckReport> =>
  fsck({ connection, pool, store, ...options });

const brief = ({ findings }: FsckReport) => findings.map(({ where, place, code }) => ({ where, place, code }));

/** Two plans that ended, one under way and a foreign message, all projected; the projector has ended. */
async function projected(world: TestWorld): Promise<number> {
  const projection = await world.startProjector();
  await world.author.wholeLife('one');
  await world.author.wholeLife('two');
  await world.author.submit('under-way', ['first', 'second']);
  const id = await world.author.schedule('under-way', 'first', 1);
  await world.author.start('under-way', id);
  await world.author.succeed('under-way', 'first', id);
  const { seq } = await publish(world.connection, 'ledger.foreign.x', 'no event');
  await world.projectedTo(seq);
  await projection.stop();
  return seq;
}

/** A plan that a later version has gone on with: it has a row of every table that says so. */
async function newerPlan(world: TestWorld): Promise<void> {
  await world.author.submit('newer', ['only']);
  const { head } = await new Journal({ connection: world.connection, by: undefined }).read('newer');
  const cancel = { kind: 'plan.cancel_requested', data: { reason: 'client' } } as const;
  const [event] = seal(head, [cancel], { planId: 'newer', by: 'admission', nowMs: Date.now() });
  const { this_hash: _, ...open } = { ...event, v: 9 } as LedgerEvent;
  const newer = { ...open, this_hash: hashEvent(open) } as LedgerEvent;
  await publish(world.connection, commitSubject(newer), encodeCommit([newer]));
}

const FOREIGN = { where: 'ledger', code: 'ERR_NOT_AN_EVENT' } as const;

test('finds nothing but the foreign message in what was projected, with and without the projector at work', async () => {
  await withWorld(postgres, async (world) => {
    const last = await projected(world);
    const report = await check(world);
    assert.equal(brief(report), [{ ...FOREIGN, place: `message ${last}` }]);
    assert.is(report.ok, false);
    assert.equal([report.postgres?.position, report.postgres?.lag], [last, 0]);
    assert.equal(
      report.ledger.plans.map(({ planId, complete }) => [planId, complete]),
      [
        ['one', true],
        ['two', true],
        ['under-way', false],
      ],
    );
    await world.startProjector();
    const writing = Promise.all(['a', 'b', 'c', 'd'].map((planId) => world.author.wholeLife(planId)));
    const reports: FsckReport[] = [];
    for (let round = 0; round < 5; round++) reports.push(await check(world));
    await writing;
    for (const one of reports) assert.equal(one.findings, report.findings);
  });
});

test('a reader that stopped half way sees what was appended meanwhile', async () => {
  await withWorld(postgres, async (world) => {
    await world.author.wholeLife('before');
    const reader = new LedgerReader(world.connection);
    await reader.skipTo(2);
    assert.is(reader.lastSeq, 2);
    const last = await world.author.wholeLife('meanwhile');
    await reader.skipTo(last);
    assert.is(reader.lastSeq, last);
    assert.equal(reader.verifier.verdict().findings, []);
  });
});

test('is clean on a clean ledger, one that nobody projects, and an empty one', async () => {
  await withWorld(postgres, async (world) => {
    const empty = await check(world);
    assert.equal([empty.ok, empty.postgres, empty.ledger.messages], [true, undefined, 0]);
    await world.author.wholeLife('one');
    const unprojected = await check(world);
    assert.equal([unprojected.ok, unprojected.postgres], [true, undefined]);
    const projection = await world.startProjector();
    await world.projectedTo(await world.author.wholeLife('two'));
    await projection.stop();
    await world.author.wholeLife('behind');
    const report = await check(world);
    assert.equal(report.findings, []);
    assert.ok((report.postgres?.lag ?? 0) > 0, 'a projector that is behind is no finding');
    assert.ok((await fsck({ connection: world.connection, store: world.store })).ok);
  });
});

interface Column {
  readonly table_name: string;
  readonly column_name: string;
  readonly data_type: string;
}

const KEYS: Readonly<Record<string, readonly string[]>> = {
  position: [],
  foreign_messages: ['stream_seq'],
  events: ['plan_id', 'seq'],
  plans: ['plan_id'],
  steps: ['plan_id', 'step_id'],
  executions: ['plan_id', 'execution_id'],
  artifacts: ['plan_id', 'position'],
  receipts: ['plan_id', 'execution_id'],
  budgets: ['plan_id'],
  standings: ['plan_id'],
};

/** The least change of a value of each type, so small as a person would overlook it. */
const CHANGED: Readonly<Record<string, (column: string) => string>> = {
  text: (column) => `coalesce(${column}, '') || ' '`,
  bigint: (column) => `coalesce(${column}, 0) + 1`,
  integer: (column) => `${column} + 1`,
  boolean: (column) => `not coalesce(${column}, false)`,
  'timestamp with time zone': (column) => `coalesce(${column}, now()) + interval '1 microsecond'`,
  jsonb: (column) => `jsonb_build_array(${column})`,
  bytea: (column) => `set_byte(${column}, 10, get_byte(${column}, 10) # 1)`,
};

test('every column of every table: one changed cell is one finding, with its place and both values', async () => {
  await withWorld(postgres, async (world) => {
    await newerPlan(world);
    await projected(world);
    const columns = await world.query<Column>(
      `select table_name, column_name, data_type from information_schema.columns
       where table_schema = 'isomorph' and table_name not in ('migrations', 'position')
       and not (table_name = 'foreign_messages' and column_name = 'reason')`,
    );
    assert.equal(
      [...new Set(columns.map(({ table_name }) => table_name)), 'position'].sort(),
      Object.keys(KEYS).sort(),
    );
    for (const { table_name: table, column_name: name, data_type: type } of columns) {
      const key = KEYS[table] ?? [];
      await world.query('begin');
      await world.query(`create table kept as table isomorph.${table}`);
      await world.query('commit');
      const changed = CHANGED[type]?.(`"${name}"`);
      await world.query(
        `update isomorph.${table} set "${name}" = ${changed} where ctid = (select max(ctid) from isomorph.${table})`,
      );
      const { findings } = await check(world, { hash: 'none' });
      const found = findings.filter(({ where }) => where === 'postgres');
      if (key.includes(name)) {
        assert.equal(found.map(({ message }) => message).sort(), [
          'the ledger knows no such row',
          'the row is missing',
        ]);
      } else {
        assert.equal(
          found.map(({ row }) => [row?.table, Object.keys(row?.key ?? {}), row?.column]),
          [[table, key, name]],
          `${table}.${name}`,
        );
        assert.ok(found[0]?.expected !== found[0]?.found && found[0]?.expected !== undefined);
      }
      await world.query(`truncate isomorph.${table}`);
      await world.query(`insert into isomorph.${table} select * from kept`);
      await world.query('drop table kept');
    }
  });
});

test('a deleted row and an invented one, of every table', async () => {
  await withWorld(postgres, async (world) => {
    await newerPlan(world);
    await projected(world);
    for (const table of Object.keys(KEYS)) {
      await world.query(`create table kept as table isomorph.${table}`);
      await world.query(`delete from isomorph.${table} where ctid = (select max(ctid) from isomorph.${table})`);
      const missing = (await check(world, { hash: 'none' })).findings.filter(({ where }) => where === 'postgres');
      assert.equal(
        missing.map(({ row, message }) => [row?.table, message]),
        [[table, 'the row is missing']],
      );
      await world.query(`truncate isomorph.${table}`);
      await world.query(`insert into isomorph.${table} select * from kept`);
      if (table !== 'position') {
        const [first = 'plan_id'] = KEYS[table] ?? [];
        const other = first === 'stream_seq' ? '4711' : "'invented'";
        await world.query(`update kept set ${first} = ${other}`);
        await world.query(`insert into isomorph.${table} select * from kept limit 1`);
        const extra = (await check(world, { hash: 'none' })).findings.filter(({ where }) => where === 'postgres');
        assert.equal(
          extra.map(({ row, message }) => [row?.table, message]),
          [[table, 'the ledger knows no such row']],
        );
        await world.query(`delete from isomorph.${table} where ${first} = ${other}`);
      }
      await world.query('drop table kept');
    }
  });
});

test('a projection that is ahead of its stream', async () => {
  await withWorld(postgres, async (world) => {
    const last = await projected(world);
    await world.query('update isomorph.position set stream_seq = $1', [last + 5]);
    const [finding] = (await check(world)).findings;
    assert.equal(
      [finding?.place, finding?.expected, finding?.found],
      ['position ().stream_seq', `at most ${last}`, `${last + 5}`],
    );
  });
});

test('artifacts: altered, cut, missing; what the ledger does not name is not looked at', async () => {
  await withWorld(postgres, async (world) => {
    await world.author.wholeLife('one');
    await world.author.put('/artifacts/other.json', new TextEncoder().encode('{}'));
    const output = '/artifacts/outputs/one/first/out.json';
    const receipt = '/artifacts/executions/one/one.first.2/determinism.json';
    const document = '/artifacts/plans/one/admitted.json';
    const file = (path: string): string => join(world.folder, path);
    const altered = await readFile(file(output), 'utf8');
    await chmod(file(output), 0o600);
    await writeFile(file(output), altered.replace('first', 'FIRST'));
    await chmod(file(receipt), 0o600);
    await writeFile(file(receipt), 'cut');
    await rm(file(document));
    const report = await check(world);
    assert.equal(
      [...report.findings]
        .sort((a, b) => (a.place < b.place ? -1 : 1))
        .map(({ where, place, code }) => [where, place, code]),
      [
        ['artifacts', receipt, 'ERR_CID_MISMATCH'],
        ['artifacts', output, 'ERR_CID_MISMATCH'],
        ['artifacts', document, 'ERR_NOT_FOUND'],
      ],
    );
    const finding = report.findings.find(({ place }) => place === output);
    assert.equal([finding?.planId, finding?.expected === finding?.found], ['one', false]);
    assert.equal(
      brief(await check(world, { hash: 'none' }))
        .map(({ place }) => place)
        .sort(),
      [receipt, document],
      'without hashing, what the store has recorded is believed: an altered file of the same size is passed over',
    );
  });
});

test('a message that does not link is told with its place, and its plan goes on', async () => {
  await withWorld(postgres, async (world) => {
    await projected(world);
    const head = { seq: 2, hash: `blake3:${'1'.repeat(64)}`, ts: null };
    const forged = seal(head, [{ kind: 'plan.cancel_requested', data: { reason: 'client' } }], {
      planId: 'under-way',
      by: 'admission',
      nowMs: Date.now(),
    });
    const [event] = forged;
    assert.ok(event);
    const { seq } = await publish(world.connection, commitSubject(event), encodeCommit(forged));
    const findings = (await check(world)).findings.filter(({ code }) => code !== 'ERR_NOT_AN_EVENT');
    assert.equal(
      findings.map(({ where, place, planId, seq: at, code }) => ({ where, place, planId, at, code })),
      [{ where: 'ledger', place: `message ${seq}`, planId: 'under-way', at: 3, code: 'ERR_CHAIN_BROKEN' }],
    );
  });
});

test.run();
