import * as assert from 'uvu/assert';
import { decideSubmit, ruleOn } from '../../services/admission/decide.ts';
import { decideEnd, decideNext, decideStart } from '../../services/dispatcher/decide.ts';
import { MOST_WAITING } from '../../services/dispatcher/queue-places.ts';
import type { TimedResult } from '../../services/dispatcher/scrub.ts';
import { decideSettle } from '../../services/settler/decide.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { ADAPTERS } from '../../shared/ids/adapter.ts';
import { canonicalWorldPath } from '../../shared/ids/world-path.ts';
import { encodeCommit, type Head, seal } from '../../shared/ledger/chain.ts';
import {
  type Draft,
  type Environment,
  EVENT_DATA,
  EVENT_LIMITS,
  type LedgerWriter,
} from '../../shared/ledger/events.ts';
import { emptyState, type PlanState } from '../../shared/ledger/state.ts';
import { processorOf } from '../../shared/plan/admitted.ts';
import { eventBytes, LONGEST_PATH, largestEnds, largestStart, processorSizeFaults } from '../../shared/plan/largest.ts';
import { PLAN_LIMITS } from '../../shared/plan/plan.ts';
import type { Processor } from '../../shared/plan/registry.ts';
import { validator } from '../../shared/schema/validate.ts';
import { suite } from '../harness/suite.ts';
import {
  admitted,
  Chain,
  START_MS,
  scheduled,
  settledExecution,
  started,
  submitted,
  succeeded,
} from '../ledger/plan-history.ts';
import { planOf, processor, step } from './admitted-plan.ts';

const test = suite('the largest that is written');

const PLAN = 'p'.repeat(63);
const STEP = 's'.repeat(63);
const ID = `${PLAN}.${STEP}.1`;
const HEAD: Head = { seq: Number.MAX_SAFE_INTEGER - 10_000, hash: cidOf('head'), ts: null };
const COSTLY = '\u0001';

/** Bytes of drafts sealed and encoded as a writer does it; undefined when they do not fit. */
function encoded(by: LedgerWriter, drafts: readonly Draft[]): number | undefined {
  try {
    return encodeCommit(seal(HEAD, drafts, { planId: PLAN, by, nowMs: START_MS })).byteLength;
  } catch (error) {
    if (error instanceof IsomorphError && error.code === 'ERR_TOO_LARGE') return undefined;
    throw error;
  }
}

/** The last processor of a growing family that is taken, and the first that is not. */
function atTheLimit(of: (size: number) => Processor): { taken: Processor; refused: Processor; size: number } {
  let [low, high] = [1, 600];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (processorSizeFaults(of(middle)).length === 0) low = middle;
    else high = middle;
  }
  return { taken: of(low), refused: of(high), size: low };
}

const name = (index: number): string => `N${index}`.padEnd(128, '_');
const withSecrets = (count: number): Processor =>
  processor({
    image: 'i'.repeat(184),
    secrets: { required: Array.from({ length: count }, (_, index) => name(index)) },
    runtime: {
      ...processor().runtime,
      ...{ cpu: 0.123456789, gpu: { model: COSTLY.repeat(256), count: 9, mem_gb: 80.123 } },
    },
  });
const withOutputs = (count: number): Processor =>
  processor({
    outputs: Array.from({ length: count }, (_, index) => ({
      ...{ path: `${index}`, content_type: `a/${'b'.repeat(254)}`, required: true },
    })),
  });

const environment = ({ image, runtime, secrets }: Processor): Environment => ({
  adapter: 'local',
  image: `${image}@sha256:${'0'.repeat(64)}`,
  image_digest: COSTLY.repeat(256),
  cpu: runtime.cpu,
  memory_gb: runtime.memory_gb,
  timeout_s: runtime.timeout_s,
  ...(runtime.gpu === undefined ? {} : { gpu: runtime.gpu }),
  region: COSTLY.repeat(256),
  present_env_keys: secrets.required,
  versions: { engine: COSTLY.repeat(256), os: COSTLY.repeat(256) },
});

/** What the dispatcher writes at the end of an execution whose runtime and processor say as much as they can. */
function endOf(one: Processor, exitCode: number): readonly Draft[] {
  const chain = new Chain(PLAN)
    .append('admission', [submitted(PLAN), admitted(PLAN, 1e6)])
    .append('dispatcher', [...scheduled(PLAN, STEP, 1, 400), started(ID)]);
  const said = COSTLY.repeat(9_000);
  const text = '€'.repeat(9_000);
  const result: TimedResult = {
    ...{ outcome: { kind: 'exited', exitCode }, text, durationMs: Number.MAX_SAFE_INTEGER, log: new Uint8Array() },
    error: { isomorph: 'error', code: 'ERR_EXIT', message: said },
  };
  const { succeeded: [output] = [] } = largestEnds(withOutputs(1));
  const artifacts = one.outputs.map(() => ({ ...output, data: { ...output?.data, execution_id: ID } }) as Draft);
  const log = largestEnds(one).failed.slice(0, 1);
  const end = { kind: 'ended', executionId: ID, result, log, environment: environment(one), cancelled: false } as const;
  return decideEnd(chain.state, { ...end, outputs: { ok: true, artifacts } }).drafts;
}

test('a processor may name so many secrets that the event of its failure fits, and not one more', () => {
  const { taken, refused, size } = atTheLimit(withSecrets);
  assert.ok(size > 250, `${size}`);
  assert.ok(encoded('dispatcher', endOf(taken, 1)) !== undefined, `${size} secrets`);
  const [fault] = processorSizeFaults(refused);
  assert.equal(
    [fault?.code, fault?.pointer, fault?.expected],
    ['ERR_TOO_LARGE', '/secrets/required', 'at most 65535 bytes'],
  );
  assert.ok(
    eventBytes(endOf(taken, 1).at(-1) as Draft) > EVENT_LIMITS.event_bytes - 2_500,
    'it is not much too strict',
  );
  assert.is(encoded('dispatcher', endOf(withSecrets(size + 20), 1)), undefined, 'what is refused could not be written');
});

test('a processor may have so many outputs that the commit which names them fits, wherever they lie', () => {
  const { taken, refused, size } = atTheLimit(withOutputs);
  const drafts = endOf(taken, 0);
  assert.is(drafts.length, size + 2);
  const bytes = encoded('dispatcher', drafts) ?? 0;
  assert.ok(bytes > EVENT_LIMITS.commit_bytes * 0.98, `${size} outputs: ${bytes} bytes`);
  const [fault] = processorSizeFaults(refused);
  assert.equal([fault?.code, fault?.pointer, fault?.expected], ['ERR_TOO_LARGE', '/outputs', 'at most 524288 bytes']);
  assert.is(encoded('dispatcher', endOf(withOutputs(size + 4), 0)), undefined, 'what is refused could not be written');
});

test('what is measured is legal: its path is one, and its data are those of its kind', () => {
  assert.is(canonicalWorldPath(LONGEST_PATH, 'exact'), LONGEST_PATH);
  const { succeeded: well, failed } = largestEnds(withSecrets(3));
  for (const { kind, data } of [...well, ...failed, largestStart({ inputs: { a: LONGEST_PATH } })]) {
    const checked = validator(EVENT_DATA[kind], 'ERR_SCHEMA')(data);
    assert.equal(checked.ok ? [] : checked.faults, [], kind);
  }
});

test('what is scheduled together is one commit, for each runtime, and so are a hundred that are revoked', () => {
  const ids = Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(63, 's'));
  const ref = `${'n'.repeat(32)}/${'p'.repeat(32)}@9999`;
  const plan = planOf(
    ids.map((id, index) => step(id, { processor: ref, adapter: ADAPTERS[index % ADAPTERS.length] ?? 'mock' })),
    { processors: { [ref]: processor({ ref }) } },
  );
  const chain = new Chain(PLAN).append('admission', [submitted(PLAN), admitted(PLAN, 1e9, { steps: 100 })]);
  const now = { nowMs: START_MS, hasRoom: true };
  const { drafts } = decideNext(chain.state, plan, now);
  assert.is(drafts.length, 2 * MOST_WAITING * ADAPTERS.length);
  assert.ok(encoded('dispatcher', drafts) !== undefined);
  for (const id of ids) chain.append('dispatcher', scheduled(PLAN, id, 1, 400));
  chain.append('admission', [{ kind: 'plan.cancel_requested', data: { reason: 'client' } }]);
  const revoked = decideNext(chain.state, plan, now).drafts;
  assert.is(revoked.length, 100);
  assert.ok(encoded('dispatcher', revoked) !== undefined);
});

test('a hundred predicates that found much and do not hold end a plan in one commit, faults included', () => {
  const predicates = Array.from({ length: 100 }, (_, index) => ({
    pointer: `/steps/9999/predicates/${index}`,
    call: { use: 'artifact.exists@1', path: LONGEST_PATH },
  }));
  const plan = planOf([step(STEP)], { predicates });
  const chain = new Chain(PLAN)
    .append('admission', [submitted(PLAN), admitted(PLAN, 1e6, { steps: 1, predicates: 100 })])
    .append('dispatcher', [...scheduled(PLAN, STEP, 1, 400), started(ID), succeeded(ID, 5)])
    .append('settler', settledExecution(PLAN, ID, 400, 100));
  const results = predicates.map(() => ({ ok: false, found: COSTLY.repeat(9_000) }));
  const { drafts } = decideSettle(chain.state, { plan, settling: [], checked: { from: 0, results } });
  assert.is(drafts.length, 101);
  assert.ok(encoded('settler', drafts) !== undefined);
});

test('a lost run with much to say, and a start with thirty-two inputs, fit their events', () => {
  const chain = new Chain(PLAN)
    .append('admission', [submitted(PLAN), admitted(PLAN, 1e6)])
    .append('dispatcher', scheduled(PLAN, STEP, 1, 400));
  const inputs = Object.fromEntries(
    Array.from({ length: 32 }, (_, index) => [`${index}`.padEnd(64, 'n'), `/artifacts/${'a/'.repeat(506)}a`]),
  );
  const one = step(STEP, { inputs });
  const plan = planOf([one]);
  const found = Object.entries(inputs).map(([key, path]) => {
    const stat = { path, cid: cidOf(key), sha256: 'a'.repeat(64), size: 1, contentType: 'text/csv' };
    return [key, stat] as const;
  });
  const { drafts } = decideStart(chain.state, {
    ...{ executionId: ID, step: one, processor: processorOf(plan, one), worker: COSTLY.repeat(256), nowMs: START_MS },
    found: { inputs: Object.fromEntries(found) as never },
  });
  assert.ok((encoded('dispatcher', drafts) ?? 0) > 32 * 1_024);
  const reason = COSTLY.repeat(20_000);
  const lost = decideEnd(chain.append('dispatcher', [started(ID)]).state, {
    ...{ kind: 'lost', executionId: ID, reason, durationMs: null },
  });
  assert.ok((encoded('dispatcher', lost.drafts) ?? 0) > 6_000);
});

const DEPLOYMENT = {
  pinnedImage: () => undefined,
  defaultAdapter: 'mock',
  adapters: ['mock'],
  secretExists: () => true,
  kv: undefined,
  queue: undefined,
  faultsAt: () => [],
} as const;

/** What admission makes of a plan whose steps are these. */
function ruled(steps: readonly object[], changes: Partial<Processor> = {}) {
  const policy = {
    ...{ name: 'default', description: 'all', read: ['/artifacts/**'], write: ['/artifacts/**'], adapters: ['mock'] },
    ...{ secrets: ['*'], max_budget_usd_micro: 1e9, max_steps: 1_000 },
  } as const;
  const registry = {
    processors: new Map([['test/probe@1', processor(changes)]]),
    policies: new Map([['default', { ...policy, adapters: ['mock' as const] }]]),
  };
  const document = { plan_id: PLAN, budget: { limit_usd_micro: 1e8 }, steps };
  const body = canonicalBytes(document);
  const submission = { planId: PLAN, document, body, cid: cidOf(body) };
  return { body, ruling: ruleOn(submission, registry as never, DEPLOYMENT as never) };
}

const step_ = (id: string, more: object = {}) => ({ id, processor: 'test/probe@1', ...more });
const decided = (ruling: ReturnType<typeof ruleOn>, state: PlanState = emptyState(PLAN)) =>
  decideSubmit(state, {
    ...{ ruling, principal: 'p'.repeat(63), commandSeq: Number.MAX_SAFE_INTEGER, nowMs: START_MS, declareLeases: true },
  });

test('all leases that a plan of 256 KiB can declare are declared in the commit that admits it', () => {
  const selector = `/artifacts/${'"/'.repeat(320)}`;
  const leases = Array.from({ length: 64 }, () => ({ selector, mode: 'write' }));
  const { body, ruling } = ruled(['a', 'b', 'c', 'd'].map((id) => step_(id.repeat(63), { leases })));
  assert.ok(body.byteLength > PLAN_LIMITS.bytes * 0.75 && body.byteLength <= PLAN_LIMITS.bytes, `${body.byteLength}`);
  const { kind, drafts } = decided(ruling);
  assert.equal([kind, ruling.faults, drafts.length], ['admitted', [], 258]);
  assert.ok(encoded('admission', drafts) !== undefined);
});

test('inputs whose start would not fit an event are refused with the place; as many as fit are not', () => {
  const names = Array.from({ length: 32 }, (_, index) => `n${index}`.padEnd(64, '_'));
  const artifacts = Object.fromEntries(names.map((key) => [key, { required: false }]));
  const inputsOf = (count: number) => Object.fromEntries(names.slice(0, count).map((key) => [key, LONGEST_PATH]));
  const faultsOf = (count: number) =>
    ruled([step_('a', { inputs: inputsOf(count) })], { inputs: { artifacts, params: {} } }).ruling.faults;
  const most = names.findIndex((_, count) => faultsOf(count + 1).length > 0);
  assert.ok(most > 20, `${most}`);
  assert.ok(eventBytes(largestStart({ inputs: inputsOf(most) })) <= EVENT_LIMITS.event_bytes);
  const [fault] = faultsOf(most + 1);
  assert.equal([fault?.code, fault?.pointer], ['ERR_TOO_LARGE', '/steps/0/inputs']);
});

test('a write prefix below which an output would have no path is refused with the place', () => {
  const prefix = (length: number) => `/artifacts/${'a/'.repeat(600)}`.slice(0, length - 1).concat('/');
  const outputs = [{ path: 'o'.repeat(24), content_type: 'text/plain', required: true }];
  const faultsOf = (length: number) => ruled([step_('a', { write_prefix: prefix(length) })], { outputs }).ruling.faults;
  assert.equal(faultsOf(999), []);
  assert.equal(
    faultsOf(1_003).map(({ code, pointer }) => [code, pointer]),
    [['ERR_TOO_LONG', '/steps/0/write_prefix']],
  );
});

test.run();
