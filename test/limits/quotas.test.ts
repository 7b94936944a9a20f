import * as assert from 'uvu/assert';
import { keptBytes, refusesPlan, refusesRejection } from '../../services/admission/quotas.ts';
import { type CountedCommit, endBytesOf, Usage } from '../../services/admission/usage.ts';
import { DEFAULT_LIMITS } from '../../services/common/config/limits.ts';
import type { LedgerEvent } from '../../shared/ledger/events.ts';
import { suite } from '../harness/suite.ts';

const test = suite('limits of who commands');

const NOW = Date.parse('2026-11-28T12:00:00.000Z');
const HOUR_MS = 3_600_000;
const LEDGER = { bytes: 0, limitBytes: 256 * 1024 ** 2 };
const LIMITS = { ...DEFAULT_LIMITS, openPlansOfPrincipal: 2, openPlans: 3, rejectedBytesOfPrincipal: 1_000 };

let seq = 0;

/** What counts of a commit; the rest of its events is of no matter here. */
function commit(planId: string, kind: string, { principal = 'alice', bytes = 100, atMs = NOW } = {}): CountedCommit {
  const ts = new Date(atMs).toISOString();
  const submitted = { kind: 'plan.submitted', ts, data: { principal, bytes } };
  const last = { kind, ts, data: { steps: 1, predicates: 0 } };
  const events = (kind === 'plan.settled' ? [last] : [submitted, last]) as unknown as LedgerEvent[];
  seq += 1;
  return { planId, seq, bytes: 400, events };
}

const at = (usage: Usage, principal = 'alice', limits = LIMITS, ledger = LEDGER) => ({
  usage,
  limits,
  ledger,
  principal,
});

test('who has as many open plans as one may gets no more, everybody else does, until one of them ends', () => {
  const usage = new Usage();
  usage.take(commit('a', 'plan.admitted'));
  assert.is(refusesPlan(at(usage)), undefined);
  usage.take(commit('b', 'plan.admitted'));
  const refused = refusesPlan(at(usage));
  assert.is(refused?.code, 'ERR_LIMIT');
  assert.match(refused?.message ?? '', 'ISOMORPH_MAX_OPEN_PLANS_A_PRINCIPAL is reached: 2 of alice');
  assert.is(refusesPlan(at(usage, 'bob')), undefined);
  usage.take(commit('a', 'plan.settled'));
  assert.is(refusesPlan(at(usage)), undefined);
});

test('all together may have so many: then nobody gets another one', () => {
  const usage = new Usage();
  for (const name of ['alice', 'bob', 'carol']) usage.take(commit(`of-${name}`, 'plan.admitted', { principal: name }));
  assert.match(refusesPlan(at(usage, 'dan'))?.message ?? '', '3 of all together');
});

test('a commit that is counted twice counts once, and an admission that is under way counts already', () => {
  const usage = new Usage();
  const first = commit('a', 'plan.admitted');
  assert.ok(usage.claim('a', { principal: 'alice', endBytes: 10 }));
  assert.not(usage.claim('a', { principal: 'alice', endBytes: 10 }), 'nobody claims it twice');
  assert.is(usage.openPlans('alice').ofPrincipal, 1);
  usage.take(first);
  usage.take(first);
  assert.is(usage.openPlans('alice').ofPrincipal, 1);
  assert.is(usage.endBytes('alice').inAll, endBytesOf({ steps: 1, predicates: 0 }));
  usage.release('a');
  assert.is(usage.openPlans('alice').ofPrincipal, 1, 'what the ledger told stays');
  assert.ok(usage.claim('b', { principal: 'alice', endBytes: 10 }));
  usage.release('b');
  assert.is(usage.openPlans('alice').ofPrincipal, 1);
  usage.take(commit('a', 'plan.settled'));
  assert.equal([usage.openPlans('alice').inAll, usage.endBytes('alice').inAll, usage.principals], [0, 0, []]);
});

test('rejections count for a day, document and ledger; beyond the limit they are told with their reason and not recorded', () => {
  const usage = new Usage();
  const rejected = commit('a', 'plan.rejected', { bytes: 300, atMs: NOW - 23 * HOUR_MS });
  usage.take(rejected);
  usage.take(rejected);
  assert.is(usage.rejectedBytes('alice').ofPrincipal, 700);
  const first = { code: 'ERR_CYCLE', message: 'a needs a', pointer: '/steps/0' } as const;
  assert.is(refusesRejection(at(usage), first), undefined);
  usage.take(commit('b', 'plan.rejected', { atMs: NOW }));
  const refused = refusesRejection(at(usage), first);
  assert.is(refused?.code, 'ERR_LIMIT');
  assert.match(refused?.message ?? '', 'rejected for ERR_CYCLE at /steps/0: a needs a');
  assert.is(refusesRejection(at(usage, 'bob'), first), undefined);
  assert.is(refusesPlan(at(usage)), undefined, 'a plan that is none of those is taken');
  usage.claimRejection('bob', 1_000);
  assert.is(refusesRejection(at(usage, 'bob'), first)?.code, 'ERR_LIMIT', 'one that is under way counts already');
  usage.releaseRejection('bob', 1_000);
  assert.is(refusesRejection(at(usage, 'bob'), first), undefined);
  usage.forget(NOW + 2 * HOUR_MS);
  assert.is(refusesRejection(at(usage), first), undefined);
});

test('the ledger keeps a tenth for the ends of open plans, and more where they may need more', () => {
  const usage = new Usage();
  const ledger = { bytes: 899, limitBytes: 1_000 };
  assert.is(keptBytes(ledger, 0), 100);
  assert.is(refusesPlan(at(usage, 'alice', LIMITS, ledger)), undefined);
  assert.is(refusesPlan(at(usage, 'alice', LIMITS, { ...ledger, bytes: 900 }))?.code, 'ERR_LEDGER_FULL');
  usage.claim('a', { principal: 'bob', endBytes: 400 });
  assert.is(refusesPlan(at(usage, 'alice', LIMITS, { ...ledger, bytes: 599 })), undefined);
  const refused = refusesPlan(at(usage, 'alice', LIMITS, { ...ledger, bytes: 600 }));
  assert.is(refused?.code, 'ERR_LEDGER_FULL');
  assert.match(refused?.message ?? '', 'the ledger holds 600B of 1000B, and keeps 400B for the ends of open plans');
});

test('a plan is taken where its own end has room too', () => {
  const ledger = { bytes: 400, limitBytes: 1_000 };
  assert.is(refusesPlan(at(new Usage(), 'alice', LIMITS, ledger), 599), undefined);
  const refused = refusesPlan(at(new Usage(), 'alice', LIMITS, ledger), 600);
  assert.is(refused?.code, 'ERR_LEDGER_FULL');
  assert.match(refused?.message ?? '', 'keeps 600B for the ends of open plans');
});

test('for the plans of one a quarter of the ledger is kept, or less where a limit says so: everybody else has the rest', () => {
  const usage = new Usage();
  const ledger = { bytes: 0, limitBytes: 1_000 };
  usage.claim('a', { principal: 'alice', endBytes: 249 });
  assert.is(refusesPlan(at(usage, 'alice', LIMITS, ledger), 249), undefined, 'one that needs more is taken once');
  usage.claim('b', { principal: 'alice', endBytes: 249 });
  const limits = { ...LIMITS, openPlansOfPrincipal: 9 };
  const refused = refusesPlan(at(usage, 'alice', limits, ledger));
  assert.is(refused?.code, 'ERR_LIMIT');
  assert.match(refused?.message ?? '', 'ISOMORPH_MAX_END_BYTES_A_PRINCIPAL is reached: 498B of alice');
  assert.is(refusesPlan(at(usage, 'bob', limits, ledger)), undefined);
  assert.is(refusesPlan(at(usage, 'alice', limits)), undefined, 'in a ledger that is larger');
  assert.is(refusesPlan(at(usage, 'alice', { ...limits, endBytesOfPrincipal: 498 }))?.code, 'ERR_LIMIT');
});

test.run();
