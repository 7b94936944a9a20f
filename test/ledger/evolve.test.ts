import { readdir, readFile } from 'node:fs/promises';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { headOf, seal } from '../../shared/ledger/chain.ts';
import { decodeLine } from '../../shared/ledger/envelope.ts';
import { type Draft, EVENT_KINDS, type EventKind } from '../../shared/ledger/events.ts';
import { evolve, fold } from '../../shared/ledger/evolve.ts';
import { LEGAL } from '../../shared/ledger/legal.ts';
import { understood } from '../../shared/ledger/meaning.ts';
import { emptyState, namesOtherwise } from '../../shared/ledger/state.ts';
import { suite } from '../harness/suite.ts';
import { histories } from './arbitrary.ts';
import { plain } from './plain.ts';
import {
  admitted,
  admittedChain,
  type Chain,
  cancelRequested,
  failed,
  lost,
  Chain as NewChain,
  rejected,
  scheduled,
  settled,
  settledExecution,
  started,
  submitted,
  succeeded,
  written,
} from './plan-history.ts';

const test = suite('folding a ledger');

const ID = 'plan.fetch.1';

test('at every prefix of every legal history nothing is spent beyond the limit', () => {
  fc.assert(
    fc.property(histories(), ({ planId, events }) => {
      let state = emptyState(planId);
      for (const event of events) {
        state = evolve(state, [event]);
        const { limit, held, spent } = state.budget;
        assert.ok(spent + held <= limit && held >= 0 && spent >= 0, `${spent} + ${held} of ${limit} at ${event.seq}`);
        assert.equal(state.head, headOf(event));
      }
      if (state.phase === 'settled') assert.is(state.budget.held, 0, 'held at rest');
    }),
  );
});

test('sequence numbers are dense and time never runs back', () => {
  fc.assert(
    fc.property(histories(), ({ events }) => {
      for (const [index, event] of events.entries()) {
        assert.is(event.seq, index + 1);
        assert.ok(index === 0 || event.ts >= (events[index - 1]?.ts ?? ''));
      }
    }),
  );
});

test('folding in one go, in two parts, or event by event comes to the same state', () => {
  fc.assert(
    fc.property(histories(), fc.nat(), ({ planId, events, state }, cut) => {
      const at = cut % (events.length + 1);
      assert.equal(plain(fold(planId, events)), plain(state));
      assert.equal(plain(evolve(fold(planId, events.slice(0, at)), events.slice(at))), plain(state));
    }),
  );
});

test('a state is left as it was by what is evolved from it', () => {
  fc.assert(
    fc.property(histories(), fc.nat(), ({ planId, events }, cut) => {
      const at = cut % (events.length + 1);
      const before = fold(planId, events.slice(0, at));
      const copy = plain(before);
      evolve(before, events.slice(at));
      assert.equal(plain(before), copy);
    }),
    { numRuns: 50 },
  );
});

/** An append of `drafts` must be refused, and must leave the chain as it is. */
function refuses(chain: Chain, drafts: readonly Draft[], why: RegExp): void {
  const { head } = chain.state;
  const [by] = LEGAL[drafts.at(-1)?.kind ?? 'plan.submitted'].by;
  const events = seal(head, drafts, {
    planId: chain.planId,
    by: by ?? 'settler',
    nowMs: Date.parse(head.ts ?? '0') + 1,
  });
  try {
    evolve(chain.state, events);
  } catch (error) {
    assert.instance(error, IsomorphError);
    const { code, message, place } = error as IsomorphError;
    assert.is(code, 'ERR_COMMIT_INVALID');
    assert.match(message, why);
    assert.is(place.pointer, `/seq/${events.at(-1)?.seq}`);
    assert.is(chain.state.head, head);
    return;
  }
  assert.unreachable(`${drafts.map(({ kind }) => kind)} was accepted`);
}

const running = (): Chain =>
  admittedChain('plan')
    .append('dispatcher', scheduled('plan', 'fetch', 1, 100))
    .append('dispatcher', [started(ID)]);
const ended = (): Chain => running().append('dispatcher', [succeeded(ID, 5)]);
const done = (): Chain => ended().append('settler', settledExecution('plan', ID, 100, 40));
const closed = (): Chain => done().append('settler', [settled('failed', 40)]);

const GOLDEN = new URL('./golden/v2/', import.meta.url);
const golden = (await readdir(GOLDEN)).filter((name) => name.endsWith('.ndjson'));
const goldenLines = (await Promise.all(golden.map((name) => readFile(new URL(name, GOLDEN), 'utf8')))).flatMap((text) =>
  text.trimEnd().split('\n'),
);

/** One draft of every kind, as a golden ledger has it; the command is that of the chains below. */
const OF_KIND: Record<EventKind, Draft> = {
  ...(Object.fromEntries(
    goldenLines.map((line) => understood(decodeLine(line))).map(({ kind, data }) => [kind, { kind, data }]),
  ) as Record<EventKind, Draft>),
  'plan.submitted': submitted('plan'),
};

test('a chain begins with plan.submitted, whatever else is tried', () => {
  for (const kind of EVENT_KINDS.filter((one) => one !== 'plan.submitted')) {
    refuses(new NewChain('plan'), [OF_KIND[kind]], /the plan is absent/);
  }
});

test('nothing follows plan.settled or plan.rejected', () => {
  const turnedDown = new NewChain('plan').append('admission', [submitted('plan'), rejected('no')]);
  for (const kind of EVENT_KINDS) {
    refuses(closed(), [OF_KIND[kind]], /the plan is settled/);
    refuses(turnedDown, [OF_KIND[kind]], /the plan is rejected|command 1 was rejected already/);
  }
});

test('a plan is submitted and admitted once', () => {
  refuses(admittedChain('plan'), [submitted('plan')], /the plan is admitted, not absent/);
  refuses(admittedChain('plan'), [admitted('plan', 9)], /not submitted/);
  refuses(admittedChain('plan'), [rejected('no')], /not submitted/);
});

test('what is reserved must fit the budget, to the last micro-dollar', () => {
  const chain = admittedChain('plan', 100).append('dispatcher', scheduled('plan', 'fetch', 1, 60));
  refuses(chain, scheduled('plan', 'train', 1, 41).slice(0, 1), /spent 0 \+ held 60 \+ 41 exceeds 100/);
  chain.append('dispatcher', scheduled('plan', 'train', 1, 40));
  assert.equal(chain.state.budget, { limit: 100, held: 100, spent: 0 });
  refuses(chain, scheduled('plan', 'fetch', 1, 1).slice(0, 1), /already reserved/);
});

test('attempts follow each other, each after the end of the one before', () => {
  refuses(admittedChain('plan'), scheduled('plan', 'fetch', 2, 0), /attempt 2 follows 0/);
  refuses(running(), scheduled('plan', 'fetch', 1, 0), /attempt 1 follows 1/);
  refuses(running(), scheduled('plan', 'fetch', 2, 0), /plan\.fetch\.1 has not ended/);
});

test('an execution starts once, and not after its end', () => {
  refuses(admittedChain('plan'), [started(ID)], /no execution plan\.fetch\.1/);
  refuses(running(), [started(ID)], /already started/);
  const never = admittedChain('plan').append('dispatcher', scheduled('plan', 'fetch', 1, 0));
  never.append('dispatcher', [lost(ID, 0)]);
  refuses(never, [started(ID)], /already ended/);
});

test('an execution ends once: the first word counts', () => {
  refuses(admittedChain('plan'), [succeeded(ID, 1)], /no execution/);
  for (const second of [succeeded(ID, 1), failed(ID, 1), lost(ID, 1)]) {
    refuses(ended(), [second], /already ended as succeeded/);
  }
});

test('a budget is settled once, after the end, for what was reserved and no more', () => {
  const [, budget, receipt] = settledExecution('plan', ID, 100, 40) as [Draft, Draft, Draft];
  refuses(running(), [budget], /has not ended/);
  refuses(ended(), settledExecution('plan', ID, 99, 40).slice(1, 2), /it reserved 100/);
  refuses(ended(), settledExecution('plan', ID, 100, 101).slice(1, 2), /101 is more than it reserved/);
  refuses(ended(), [receipt], /its budget is not settled/);
  refuses(done(), [budget], /already settled/);
  refuses(done(), [receipt], /already settled/);
  assert.equal(done().state.budget, { limit: 1_000, held: 0, spent: 40 });
});

test('a plan does not settle while money is held', () => {
  refuses(running(), [settled('succeeded', 0)], /100 micro-dollars are still held/);
  refuses(ended(), [settled('succeeded', 0)], /still held/);
});

test('a plan does not settle while an execution is open, even one that reserved nothing', () => {
  const chain = admittedChain('plan').append('dispatcher', scheduled('plan', 'fetch', 1, 0));
  refuses(chain, [settled('succeeded', 0)], /plan\.fetch\.1 is not settled/);
  chain.append('dispatcher', [lost(ID, 0)]);
  refuses(chain, [settled('succeeded', 0)], /plan\.fetch\.1 is not settled/);
});

test('a plan settles with what it spent', () => {
  for (const wrong of [39, 41, 0]) refuses(done(), [settled('succeeded', wrong)], /the plan spent 40/);
});

test('an artifact is immutable by path', () => {
  const chain = running().append('dispatcher', [written('plan', 'fetch', 'out.json', ID, 'one')]);
  chain.append('dispatcher', [written('plan', 'fetch', 'out.json', ID, 'one')]);
  refuses(chain, [written('plan', 'fetch', 'out.json', ID, 'two')], /out\.json is immutable/);
});

test('a fact is recorded once, and a series keeps its highest watermark', () => {
  const seen = (watermark: number): Draft => ({
    kind: 'streams.sampled',
    data: { fact_id: `f${watermark}`, series: 'loss', watermark, every_n: 10, chunk_count: 1, dropped_chunks: 0 },
  });
  const chain = admittedChain('plan').append('sampler', [seen(11), seen(5)]);
  refuses(chain, [seen(5)], /fact f5 is already recorded/);
  assert.equal([...chain.state.series], [['loss', 11]]);
});

test('a commit with an illegal event changes nothing, however good its first events are', () => {
  const chain = admittedChain('plan');
  refuses(chain, [...scheduled('plan', 'fetch', 1, 10), started(ID), started(ID)], /already started/);
  assert.is(chain.state.executions.size, 0);
});

test('the first reason for a cancellation stays, as there is no second', () => {
  const chain = admittedChain('plan').append('admission', [cancelRequested('client')]);
  assert.is(chain.state.cancelRequested?.reason, 'client');
});

test('bytes at a path are none of the plan’s when the ledger names others there', () => {
  const id = 'plan.train.1';
  const { state } = admittedChain('plan')
    .append('dispatcher', scheduled('plan', 'train', 1, 400))
    .append('dispatcher', [started(id)])
    .append('dispatcher', [written('plan', 'train', 'out.json', id, 'x'), succeeded(id, 5)]);
  const path = '/artifacts/outputs/plan/train/out.json';
  const answers = [cidOf('x'), cidOf('y')].map((cid) => namesOtherwise(state, path, cid));
  assert.equal([...answers, namesOtherwise(state, '/artifacts/inputs/a', cidOf('y'))], [false, true, false]);
});

test.run();
