import * as assert from 'uvu/assert';
import type { Projection } from '../../services/projector/service.ts';
import { delay } from '../../shared/async/delay.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { fsck } from '../../shared/fsck/fsck.ts';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { Journal } from '../../shared/journal/journal.ts';
import { encodeCommit, seal } from '../../shared/ledger/chain.ts';
import { hashEvent } from '../../shared/ledger/envelope.ts';
import type { Draft, LedgerEvent } from '../../shared/ledger/events.ts';
import { publish } from '../../shared/nats/publish.ts';
import { commitSubject } from '../../shared/wire/ledger.ts';
import { suite } from '../harness/suite.ts';
import { FATAL, type Postgres, startTestPostgres, WARN, withWorld } from './world-fixture.ts';

const test = suite('projector faults');

let postgres: Postgres;

test.before(async () => {
  postgres = await startTestPostgres();
});

test.after(async () => {
  await postgres.stop();
});

async function failureOf(projection: Projection): Promise<IsomorphError> {
  try {
    return await projection.failure;
  } catch (error) {
    assert.instance(error, IsomorphError);
    return error as IsomorphError;
  }
}

const SUBMITTED: Draft = {
  kind: 'plan.submitted',
  data: {
    plan_path: '/artifacts/plans/x/plan.json',
    plan_cid: `blake3:${'0'.repeat(64)}`,
    bytes: 1,
    principal: 'anonymous',
    command_seq: 1,
  },
};

test('an event that does not link is flagged, told once and passed over; its plan and the others go on', async () => {
  await withWorld(postgres, async (world) => {
    await world.author.submit('good', ['only']);
    await world.author.submit('bad', ['only']);
    // A well-formed commit that hashes to what it says, but follows from an event that is not the last one.
    const forged = seal(
      { seq: 2, hash: `blake3:${'1'.repeat(64)}`, ts: null },
      [{ kind: 'plan.cancel_requested', data: { reason: 'client' } }],
      {
        planId: 'bad',
        by: 'admission',
        nowMs: Date.now(),
      },
    );
    const [last] = forged;
    assert.ok(last);
    const { seq: brokenAt } = await publish(world.connection, commitSubject(last), encodeCommit(forged));
    const end = await world.author.submit('later', ['only']);
    const projection = await world.startProjector();
    await world.projectedTo(end);
    await projection.stop();
    assert.equal(await world.query('select stream_seq from isomorph.foreign_messages'), [
      { stream_seq: `${brokenAt}` },
    ]);
    assert.equal(
      world.foreign.map((message) => message.seq),
      [brokenAt],
    );
    assert.match(world.foreign[0]?.reason ?? '', 'seq 3 of bad: prev_hash is wrong');
    const plans = await world.query('select plan_id, phase, head_seq from isomorph.plans order by plan_id');
    assert.equal(
      plans,
      ['bad', 'good', 'later'].map((plan_id) => ({ plan_id, phase: 'admitted', head_seq: '2' })),
    );
  });
});

for (const [standing, change] of [
  ['newer', { v: 9 }],
  ['quarantined', { data: { reason: 'client', note: 'of no version' } }],
] as const) {
  test(`a plan that is ${standing} is marked, keeps its bytes, and the others go on; fsck agrees`, async () => {
    await withWorld(postgres, async (world) => {
      await world.author.submit('odd', ['only']);
      const { head } = await new Journal({ connection: world.connection, by: undefined }).read('odd');
      const cancel = { kind: 'plan.cancel_requested', data: { reason: 'client' } } as const;
      const [event] = seal(head, [cancel], { planId: 'odd', by: 'admission', nowMs: Date.now() });
      const { this_hash: _, ...open } = { ...event, ...change } as LedgerEvent;
      const odd = { ...open, this_hash: hashEvent(open) } as LedgerEvent;
      await publish(world.connection, commitSubject(odd), encodeCommit([odd]));
      const end = await world.author.wholeLife('life');
      const first = await world.startProjector();
      await world.projectedTo(end);
      await first.stop();
      const marks = () => world.query('select plan_id, standing, seq from isomorph.standings');
      assert.equal(await marks(), [{ plan_id: 'odd', standing, seq: '3' }]);
      const [row] = await world.query<{ bytes: Buffer }>(
        "select bytes from isomorph.events where plan_id = 'odd' and seq = 3",
      );
      assert.is(row?.bytes.toString(), canonicalText(odd));
      assert.equal(await world.query("select phase from isomorph.plans where plan_id = 'life'"), [
        { phase: 'settled' },
      ]);
      const { findings } = await fsck({ connection: world.connection, pool: world.pool, store: world.store });
      assert.equal(
        findings.map(({ code, seq }) => [code, seq]),
        standing === 'newer' ? [] : [['ERR_COMMIT_INVALID', 3]],
      );
      // What another version could not follow is judged anew at the start; this one marks what it cannot itself.
      await world.query("insert into isomorph.standings values ('life', 'newer', 9, 'by a version before', null)");
      const second = await world.startProjector();
      await world.projectedTo(await world.author.submit('after', ['only']));
      assert.equal(await marks(), [{ plan_id: 'odd', standing, seq: '3' }]);
      // A projector of an earlier version that runs beside it is first with one message, and marks what it cannot follow.
      const other = await world.pool.connect();
      await other.query('begin');
      await other.query('update isomorph.position set stream_seq = stream_seq + 1');
      await other.query("insert into isomorph.standings values ('life', 'newer', 9, 'by a version before', null)");
      await publish(world.connection, 'ledger.victim.x', 'no event');
      await other.query('commit');
      other.release();
      while ((await marks()).length > 1) await delay(20);
      await second.stop();
      assert.equal(await marks(), [{ plan_id: 'odd', standing, seq: '3' }]);
    });
  });
}

test('a message that is no event is flagged, told once, and skipped', async () => {
  await withWorld(postgres, async (world) => {
    const { seq } = await publish(world.connection, 'ledger.victim.x', '{"stream":"COMMANDS","seq":1}');
    const { seq: unpaired } = await publish(world.connection, 'ledger.p.plan.submitted', '{"data":"\\ud800"}');
    const projection = await world.startProjector();
    await world.projectedTo(await world.author.wholeLife('life'));
    await projection.stop();
    const rows = await world.query<{ stream_seq: string; subject: string }>(
      'select stream_seq, subject from isomorph.foreign_messages order by stream_seq',
    );
    assert.equal(rows, [
      { stream_seq: `${seq}`, subject: 'ledger.victim.x' },
      { stream_seq: `${unpaired}`, subject: 'ledger.p.plan.submitted' },
    ]);
    assert.equal(
      world.foreign.map((message) => message.seq),
      [seq, unpaired],
    );
  });
});

test('an event row with other bytes is not hidden by a second projection', async () => {
  await withWorld(postgres, async (world) => {
    const first = await world.startProjector();
    const end = await world.author.wholeLife('life');
    await world.projectedTo(end);
    await first.stop();
    await world.query('update isomorph.position set stream_seq = 0');
    await world.query("update isomorph.events set bytes = '\\x00' where seq = 3");
    const halted = await world.startProjector();
    const failure = await failureOf(halted);
    assert.is(failure.code, 'ERR_CHAIN_BROKEN');
    assert.match(failure.message, 'isomorph.events holds other bytes for seq 3 of life');
  });
});

test('a position that was set back is projected anew, over what was altered', async () => {
  await withWorld(postgres, async (world) => {
    await world.startProjector();
    const end = await world.author.wholeLife('life');
    await world.projectedTo(end);
    await world.query("update isomorph.plans set status = 'failed'");
    await world.query('delete from isomorph.receipts');
    await world.query('update isomorph.position set stream_seq = 0');
    // The running projector finds out when it next writes.
    await world.projectedTo(await world.author.submit('next', ['only']));
    assert.equal(await world.query("select status from isomorph.plans where plan_id = 'life'"), [
      { status: 'succeeded' },
    ]);
    assert.is((await world.query('select * from isomorph.receipts')).length, 3);
    assert.is(world.logged.filter(({ level }) => level >= FATAL).length, 0);
  });
});

test('a stream that is not the one that was projected is not passed over', async () => {
  await withWorld(postgres, async (world) => {
    const first = await world.startProjector();
    await world.projectedTo(await world.author.submit('life', ['only']));
    await first.stop();
    await world.query('update isomorph.position set stream_seq = 4711');
    const halted = await world.startProjector();
    assert.match((await failureOf(halted)).message, 'message 4711');
    await halted.stop();
  });
});

test('an admitted document that the World lacks costs the steps, not the projection', async () => {
  await withWorld(postgres, async (world) => {
    const projection = await world.startProjector();
    await world.projectedTo(await world.author.submit('bare', ['only'], { withDocument: false }));
    await projection.stop();
    assert.equal(await world.query('select status, title, steps from isomorph.plans'), [
      { status: 'running', title: null, steps: '1' },
    ]);
    assert.equal(await world.query('select * from isomorph.steps'), []);
    assert.ok(world.logged.some(({ level, plan_id }) => level === WARN && plan_id === 'bare'));
  });
});

test('what Postgres cannot hold as it is does not stop the projection, and its bytes stay', async () => {
  await withWorld(postgres, async (world) => {
    const projection = await world.startProjector();
    await world.author.submit('odd', ['only']);
    const id = await world.author.schedule('odd', 'only', 1);
    await world.author.start('odd', id);
    await world.author.fail('odd', id, 'nul \0 and backslash \\u0000');
    const noSuchDay = seal({ seq: 0, hash: null, ts: null }, [SUBMITTED], {
      planId: 'calendar',
      by: 'admission',
      nowMs: Date.parse('2026-03-02T00:00:00.000Z'),
    }).map((event) => ({ ...event, ts: '2026-02-30T00:00:00.000Z' }));
    const forged = noSuchDay.map((event) => ({ ...event, this_hash: hashEvent(event) }));
    const { seq } = await publish(world.connection, 'ledger.calendar.plan.submitted', encodeCommit(forged));
    await world.projectedTo(seq);
    await projection.stop();
    const [execution] = await world.query('select message from isomorph.executions');
    assert.is(execution?.message, 'nul \ufffd and backslash \\u0000');
    const [event] = await world.query("select bytes, data from isomorph.events where kind = 'execution.failed'");
    assert.is(event?.data.message, 'nul \ufffd and backslash \\u0000');
    assert.is(JSON.parse(`${event?.bytes}`).data.message, 'nul \0 and backslash \\u0000');
    // A day that does not exist is in no event: the message is flagged, whatever it hashes to.
    assert.equal(await world.query("select plan_id from isomorph.plans where plan_id = 'calendar'"), []);
    assert.equal(await world.query('select stream_seq from isomorph.foreign_messages'), [{ stream_seq: String(seq) }]);
  });
});

test.run();
