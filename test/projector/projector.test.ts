import * as assert from 'uvu/assert';
import { changesOf, mergeChanges } from '../../services/projector/changes.ts';
import { decide } from '../../services/projector/decide.ts';
import { type Batch, writeBatch } from '../../services/projector/write.ts';
import { readStream } from '../../shared/nats/read.ts';
import { migrate } from '../../shared/projection/migrate.ts';
import { rowsOf } from '../../shared/projection/rows.ts';
import { decodeCommit } from '../../shared/wire/ledger.ts';
import { suite } from '../harness/suite.ts';
import { FATAL, type Postgres, startTestPostgres, type TestWorld, withWorld } from './world-fixture.ts';

const test = suite('projector service');

let postgres: Postgres;

test.before(async () => {
  postgres = await startTestPostgres();
});

test.after(async () => {
  await postgres.stop();
});

const ledgerOf = async ({ connection }: TestWorld) => {
  const messages = [];
  for await (const message of readStream(connection, { stream: 'LEDGER', filter: 'ledger.>', fromSeq: 1 })) {
    messages.push(message);
  }
  return messages;
};

test('a plan that ran is found in every table, its events byte by byte', async () => {
  await withWorld(postgres, async (world) => {
    const projection = await world.startProjector();
    await world.projectedTo(await world.author.wholeLife('life'));
    await projection.stop();

    const events = await world.query<{ stream_seq: string; index_in_commit: number; bytes: Buffer; data: unknown }>(
      'select * from isomorph.events order by stream_seq, index_in_commit',
    );
    const messages = await ledgerOf(world);
    const lines = messages.flatMap(({ data, seq }) =>
      Buffer.from(data)
        .toString()
        .split('\n')
        .map((line, index) => ({ seq, index, line })),
    );
    assert.equal(
      events.map((row) => ({ seq: Number(row.stream_seq), index: row.index_in_commit, line: `${row.bytes}` })),
      lines,
    );
    assert.equal(
      events.map(({ data }) => data),
      lines.map(({ line }) => JSON.parse(line).data),
    );

    const [plan] = await world.query('select * from isomorph.plans');
    assert.is(plan?.status, 'succeeded');
    assert.is(plan?.title, 'The plan life');
    assert.is(Number(plan?.head_seq), events.length);
    assert.equal(plan?.faults, []);
    const last = decodeCommit(messages.at(-1)?.data ?? new Uint8Array(), 'ledger.life.plan.settled').at(-1)?.raw;
    assert.is(plan?.head_hash, last?.this_hash);
    assert.is(plan?.settled_at.toISOString(), last?.ts);

    const steps = await world.query('select step_id, status, attempts, needs from isomorph.steps order by position');
    assert.equal(steps, [
      { step_id: 'first', status: 'succeeded', attempts: '2', needs: [] },
      { step_id: 'second', status: 'succeeded', attempts: '1', needs: ['first'] },
    ]);
    const executions = await world.query(
      'select execution_id, status, code, actual_usd_micro from isomorph.executions order by scheduled_at, execution_id',
    );
    assert.equal(executions, [
      { execution_id: 'life.first.1', status: 'failed', code: 'ERR_EXIT', actual_usd_micro: '11' },
      { execution_id: 'life.first.2', status: 'succeeded', code: null, actual_usd_micro: '11' },
      { execution_id: 'life.second.1', status: 'succeeded', code: null, actual_usd_micro: '11' },
    ]);
    const [counts] = await world.query(
      'select (select count(*) from isomorph.artifacts) artifacts, (select count(*) from isomorph.receipts) receipts',
    );
    assert.equal(counts, { artifacts: '5', receipts: '3' });
    assert.equal(await world.query('select limit_usd_micro, held_usd_micro, spent_usd_micro from isomorph.budgets'), [
      { limit_usd_micro: '1000', held_usd_micro: '0', spent_usd_micro: '33' },
    ]);
  });
});

test('a restarted projector goes on at its position, with plans that were half done', async () => {
  await withWorld(postgres, async (world) => {
    const first = await world.startProjector();
    await world.projectedTo(await world.author.submit('half', ['only']));
    await first.stop();
    // What the second one writes again can be told by this mark: it must not touch what is done.
    await world.query("update isomorph.events set kind = 'marked'");
    const id = await world.author.schedule('half', 'only', 1);
    await world.author.start('half', id);
    await world.author.succeed('half', 'only', id);
    await world.author.settleExecution('half', id);
    const end = await world.author.settle('half', 11);
    const second = await world.startProjector();
    await world.projectedTo(end);
    await second.stop();
    const kinds = await world.query<{ kind: string }>('select kind from isomorph.events order by seq');
    assert.equal(
      kinds.slice(0, 4).map(({ kind }) => kind),
      ['marked', 'marked', 'budget.reserved', 'execution.scheduled'],
    );
    assert.equal(await world.query('select status, attempts from isomorph.steps'), [
      { status: 'succeeded', attempts: '1' },
    ]);
  });
});

test('a commit whose answer was lost is found out: nothing is written twice', async () => {
  await withWorld(postgres, async (world) => {
    await world.author.wholeLife('lost');
    const pool = world.newPool();
    let lost = 0;
    // The first commit that moves the position is made, and its answer never comes.
    pool.on('connect', (client) => {
      const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
      let moved = false;
      const losing = async (...args: unknown[]) => {
        const result = await query(...args);
        if (String(args[0]).startsWith('update isomorph.position')) moved = true;
        if (args[0] !== 'commit' || !moved || lost > 0) return result;
        lost += 1;
        throw new Error('Connection terminated unexpectedly');
      };
      Object.assign(client, { query: losing });
    });
    const projection = await world.startProjector({ pool });
    await world.projectedTo(await world.author.wholeLife('after'));
    await projection.stop();
    assert.is(lost, 1);
    const messages = await ledgerOf(world);
    const lines = messages.flatMap(({ data }) => Buffer.from(data).toString().split('\n'));
    const [row] = await world.query('select count(*) from isomorph.events');
    assert.is(Number(row?.count), lines.length);
    assert.is(world.logged.filter(({ level }) => level >= FATAL).length, 0);
  });
});

test('two projectors on one database: every event once, and neither halts', async () => {
  await withWorld(postgres, async (world) => {
    const [one, two] = await Promise.all([world.startProjector(), world.startProjector({ pool: world.newPool() })]);
    for (const planId of ['a', 'b', 'c']) await world.author.wholeLife(planId);
    const end = await world.author.wholeLife('d');
    await world.projectedTo(end);
    await Promise.all([one.stop(), two.stop()]);
    const messages = await ledgerOf(world);
    const lines = messages.flatMap(({ data }) => Buffer.from(data).toString().split('\n'));
    const rows = await world.query<{ bytes: Buffer }>(
      'select bytes from isomorph.events order by stream_seq, index_in_commit',
    );
    assert.equal(
      rows.map(({ bytes }) => `${bytes}`),
      lines,
    );
    assert.is(world.logged.filter(({ level }) => level >= FATAL).length, 0);
  });
});

test('of two batches made for one position, one is written whole and the other not at all', async () => {
  await withWorld(postgres, async (world) => {
    await migrate(world.pool);
    await world.author.submit('one', ['only']);
    await world.author.submit('two', ['only']);
    const messages = await ledgerOf(world);
    // One projector was quicker: it has both plans, the other only the first.
    const batches = [messages, messages.slice(0, 1)].map((some): Batch => {
      const { events, foreign, readings, position: to = 0 } = decide(new Map(), some);
      const changes = mergeChanges([...readings.values()].map((one) => changesOf(undefined, rowsOf(one, undefined))));
      return { from: 0, to, events, foreign, changes };
    });
    const [first, second] = await Promise.allSettled(batches.map((batch) => writeBatch(world.newPool(), batch)));
    assert.equal([first?.status, second?.status].sort(), ['fulfilled', 'rejected']);
    const refused = [first, second].find((one) => one?.status === 'rejected');
    assert.is(refused?.status === 'rejected' && refused.reason.code, 'ERR_APPEND_CONTENDED');
    const written = first?.status === 'fulfilled' ? 2 : 1;
    assert.is((await world.query('select * from isomorph.plans')).length, written);
    assert.is(Number((await world.query('select stream_seq from isomorph.position'))[0]?.stream_seq), written);
  });
});

test('restarts of nats-server and of Postgres are lived through', async () => {
  await withWorld(postgres, async (world) => {
    const projection = await world.startProjector();
    await world.projectedTo(await world.author.wholeLife('before'));
    await world.restartNats();
    await world.projectedTo(await world.author.wholeLife('between'));
    const [, end] = await Promise.all([world.restartPostgres(), world.author.wholeLife('after')]);
    await world.projectedTo(end);
    await projection.stop();
    const plans = await world.query('select plan_id, status from isomorph.plans order by submitted_at');
    assert.equal(plans, [
      { plan_id: 'before', status: 'succeeded' },
      { plan_id: 'between', status: 'succeeded' },
      { plan_id: 'after', status: 'succeeded' },
    ]);
  });
});

test.run();
