import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  commitsOf,
  decideRecord,
  type Fact,
  isLate,
  parseFact,
  refusal,
  refusalOf,
} from '../../services/sampler/decide.ts';
import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { encodeCommit } from '../../shared/ledger/chain.ts';
import { type Draft, EVENT_LIMITS, FACT_KINDS } from '../../shared/ledger/events.ts';
import { emptyState, type PlanState } from '../../shared/ledger/state.ts';
import { suite } from '../harness/suite.ts';
import { given } from '../ledger/given.ts';
import { admittedChain, Chain, fact, rejected, settled, submitted } from '../ledger/plan-history.ts';

/** More than any of these histories has. */
const MOST = 10_000;

const test = suite('sampler facts');

const parse = (message: unknown, seq = 7) => parseFact(Buffer.from(JSON.stringify(message)), seq);

/** A fact as an adapter publishes it: without its id. */
function published(number: number): { kind: string; data: Record<string, unknown> } {
  const { kind, data } = fact(number) as { kind: string; data: Record<string, unknown> };
  const { fact_id: _, ...rest } = data;
  return { kind, data: rest };
}

test('a fact of every kind is taken, its id made of its place in the stream', () => {
  const kinds = FACT_KINDS.map((_, number) => {
    const parsed = parse(published(number), 40 + number);
    assert.ok(parsed.ok, JSON.stringify(parsed));
    if (!parsed.ok) return '';
    const expected = fact(number);
    assert.is(parsed.fact.id, `f${40 + number}`);
    assert.equal(parsed.fact.draft, { ...expected, data: { ...expected.data, fact_id: `f${40 + number}` } });
    return parsed.fact.draft.kind;
  });
  assert.equal(kinds.sort(), [...FACT_KINDS].sort());
});

test('an id that a message brings along counts for nothing', () => {
  const { kind, data } = published(0);
  const parsed = parse({ kind, data: { ...data, fact_id: 'forged' } });
  assert.is(parsed.ok && parsed.fact.id, 'f7');
  assert.is(parsed.ok && 'fact_id' in parsed.fact.draft.data && parsed.fact.draft.data.fact_id, 'f7');
});

test('a reason in words becomes a code, whoever reported it', () => {
  const reasonOf = (reason: string) => {
    const parsed = parse({ kind: 'scratch.queue.deadletter', data: { topic: 't', deliveries: 20, reason } });
    if (!parsed.ok) return parsed.fault.code;
    const { draft } = parsed.fact;
    return draft.kind === 'scratch.queue.deadletter' ? draft.data.reason : draft.kind;
  };
  assert.is(reasonOf('the password is 4711'), 'nack');
  assert.is(reasonOf('expired'), 'expired');
  assert.is(reasonOf('ERR_TOO_LARGE'), 'ERR_TOO_LARGE');
});

test('what is no JSON is refused without repeating it', () => {
  const parsed = parseFact(Buffer.from('4711 is the password'), 7);
  assert.is(parsed.ok ? '' : parsed.fault.code, 'ERR_NOT_JSON');
  assert.not(JSON.stringify(parsed).includes('4711'));
});

test('what is no fact is refused with its place', () => {
  const { data } = published(0);
  const wrong: [unknown, string, string | undefined][] = [
    [null, 'ERR_SCHEMA', '/kind'],
    ['text', 'ERR_SCHEMA', '/kind'],
    [{ data }, 'ERR_SCHEMA', '/kind'],
    // Only services write these.
    [{ kind: 'plan.settled', data: { status: 'succeeded' } }, 'ERR_SCHEMA', '/kind'],
    [{ kind: 'artifact.written', data }, 'ERR_SCHEMA', '/kind'],
    [{ kind: 'scratch.kv.changed' }, 'ERR_SCHEMA', '/data'],
    [{ kind: 'scratch.kv.changed', data: { ...data, op: 'drop' } }, 'ERR_SCHEMA', '/data/op'],
    [{ kind: 'scratch.kv.changed', data: { ...data, value: 'a secret' } }, 'ERR_SCHEMA', '/data/value'],
    [{ kind: 'streams.sampled', data: { series: 's', watermark: -1 } }, 'ERR_SCHEMA', '/data'],
  ];
  for (const [message, code, pointer] of wrong) {
    const parsed = parse(message);
    assert.equal(parsed.ok || [parsed.fault.code, parsed.fault.pointer], [code, pointer], JSON.stringify(message));
  }
  for (const bytes of ['no json', '', '\ufeff', '"\\ud800']) {
    const parsed = parseFact(Buffer.from(bytes), 1);
    assert.is(parsed.ok || parsed.fault.code, 'ERR_NOT_JSON', bytes);
  }
  const latin1 = parseFact(Uint8Array.of(0x22, 0xe4, 0x22), 1);
  assert.is(latin1.ok || latin1.fault.code, 'ERR_NOT_JSON');
});

test('a refusal says what is expected', () => {
  const kinds = 'streams.sampled, scratch.queue.published, scratch.queue.retry';
  const unknown = parse({ kind: 'plan.settled' });
  assert.ok(!unknown.ok && unknown.fault.message === 'the fact has no known kind');
  assert.is(unknown.ok || unknown.fault.expected, `one of ${FACT_KINDS.join(', ')}`);
  for (const kind of kinds.split(', ')) assert.ok(!unknown.ok && unknown.fault.expected?.includes(kind), kind);
  const broken = parseFact(Buffer.from('{'), 1);
  assert.is(broken.ok || broken.fault.expected, 'one JSON object');
  assert.is(refusal(emptyState('iris'))?.message, 'no plan iris');
  const ended = admittedChain('plan').append('settler', [settled('failed', 0)]).state;
  assert.is(refusal(ended)?.message, 'plan plan is settled');
});

test('data that is no object is told as such, not taken apart', () => {
  for (const data of ['text', 1, true, [1], null]) {
    const parsed = parse({ kind: 'scratch.kv.changed', data });
    assert.equal(parsed.ok || [parsed.fault.code, parsed.fault.pointer?.slice(0, 5)], ['ERR_SCHEMA', '/data']);
  }
});

test('a commit is filled to its limit, and not beyond', () => {
  const weight = (one: Fact): number => canonicalBytes(one.draft).byteLength + 512;
  const of = (id: string, bytes: number): Fact => {
    const one = (reason: string): Fact => ({
      id,
      draft: { kind: 'scratch.queue.deadletter', data: { fact_id: id, topic: 't', deliveries: 1, reason } },
    });
    return one('x'.repeat(bytes - weight(one(''))));
  };
  const half = EVENT_LIMITS.commit_bytes / 2;
  const sizes = (last: number): number[] => commitsOf([of('a', half), of('b', last)]).map(({ length }) => length);
  assert.equal([sizes(half), sizes(half + 1)], [[2], [1, 1]]);
});

test('nothing that arrives on the queue makes the parser throw', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void parseFact(bytes, 1)));
  fc.assert(fc.property(fc.json(), (text) => void parseFact(Buffer.from(text), 1)));
});

test('facts are recorded once and in order, however they are delivered', () => {
  const facts = [0, 1, 2, 3].map((number): Fact => ({ id: `f${number}`, draft: fact(number) }));
  fc.assert(
    fc.property(fc.array(fc.subarray(facts), { maxLength: 6 }), (deliveries) => {
      const chain = admittedChain('plan');
      for (const delivery of deliveries) {
        const { drafts } = decideRecord(chain.state, { facts: delivery, most: MOST });
        if (drafts.length > 0) chain.append('sampler', drafts);
        assert.ok(delivery.every(({ id }) => chain.state.facts.has(id)));
        assert.equal(decideRecord(chain.state, { facts: delivery, most: MOST }).drafts, []);
      }
    }),
  );
  assert.equal(
    decideRecord(admittedChain('plan').state, { facts: facts, most: MOST }).drafts,
    facts.map(({ draft }) => draft),
  );
});

test('the ledger takes so many facts of a plan and no more; what it has is not refused', () => {
  const facts = [0, 1, 2, 3].map((number): Fact => ({ id: `f${number}`, draft: fact(number) }));
  const chain = admittedChain('plan');
  chain.append('sampler', decideRecord(chain.state, { facts: facts.slice(0, 2), most: 3 }).drafts);
  chain.append('sampler', decideRecord(chain.state, { facts, most: 3 }).drafts);
  assert.equal([...chain.state.facts], ['f0', 'f1', 'f2']);
  assert.equal(
    facts.map((one) => refusalOf(chain.state, one, 3)?.code),
    [undefined, undefined, undefined, 'ERR_LIMIT'],
  );
  assert.equal(decideRecord(chain.state, { facts, most: 3 }).drafts, []);
});

test('a plan that is not there, or has ended, takes no facts and says so', () => {
  const facts: Fact[] = [{ id: 'f0', draft: fact(0) }];
  const ended = admittedChain('plan').append('settler', [settled('failed', 0)]).state;
  assert.equal([refusal(emptyState('plan'))?.code, refusal(ended)?.code], ['ERR_PLAN_UNKNOWN', 'ERR_PLAN_SETTLED']);
  assert.equal(
    [
      decideRecord(emptyState('plan'), { facts: facts, most: MOST }).drafts,
      decideRecord(ended, { facts: facts, most: MOST }).drafts,
    ],
    [[], []],
  );
  assert.is(refusal(admittedChain('plan').state), undefined);
});

test('a fact that was recorded before its plan ended is not refused when it is delivered again; a new one is', () => {
  const facts = [0, 1].map((number): Fact => ({ id: `f${number}`, draft: fact(number) }));
  const [first, second] = facts as [Fact, Fact];
  const chain = admittedChain('plan');
  const { kinds, state } = given(chain, 'sampler').when(decideRecord, { facts: [first], most: MOST });
  assert.equal([kinds, [...state.facts]], [[first.draft.kind], ['f0']]);
  chain.append('sampler', [first.draft]).append('settler', [settled('failed', 0)]);
  assert.is(refusalOf(chain.state, first, MOST), undefined);
  assert.is(refusalOf(chain.state, second, MOST)?.code, 'ERR_PLAN_SETTLED');
});

test('a fact is late that comes for the first time after its plan has ended; one of a rejected plan is not', () => {
  const facts = [0, 1].map((number): Fact => ({ id: `f${number}`, draft: fact(number) }));
  const [first, second] = facts as [Fact, Fact];
  const chain = admittedChain('plan').append('sampler', [first.draft]);
  const late = (state: PlanState) => [isLate(state, first), isLate(state, second)];
  assert.equal(late(chain.state), [false, false]);
  assert.equal(late(chain.append('settler', [settled('failed', 0)]).state), [false, true]);
  const refused = new Chain('plan').append('admission', [submitted('plan'), rejected('no')]);
  assert.equal(late(refused.state), [false, false]);
});

test('facts with long reasons fill as many commits as the limit asks for, all of them, in order', () => {
  const long = (number: number): Draft => ({
    kind: 'scratch.queue.deadletter',
    data: { fact_id: `f${number}`, topic: 'work', deliveries: 3, reason: 'é'.repeat(8_192) },
  });
  const facts = Array.from({ length: 200 }, (_, number): Fact => ({ id: `f${number}`, draft: long(number) }));
  const commits = commitsOf(facts);
  assert.ok(commits.length > 1);
  assert.equal(commits.flat(), facts);
  const chain = admittedChain('plan');
  for (const commit of commits) {
    const before = chain.events.length;
    chain.append('sampler', decideRecord(chain.state, { facts: commit, most: MOST }).drafts);
    encodeCommit(chain.events.slice(before));
  }
  const small = Array.from({ length: 200 }, (_, number): Fact => ({ id: `f${number}`, draft: fact(number) }));
  assert.is(commitsOf(small).length, 1);
  assert.equal(commitsOf([]), []);
});

test('text that no event can hold is refused before it can fail what would share its commit', () => {
  const message = '{"kind":"scratch.kv.changed","data":{"key":"\\ud800","op":"put"}}';
  const parsed = parseFact(new TextEncoder().encode(message), 7);
  assert.is(parsed.ok, false);
  assert.is(parsed.ok ? '' : parsed.fault.code, 'ERR_SCHEMA');
});

test.run();
