/**
 * What is legal, once more: written for the tests from DESIGN and docs/events.md, without a look at shared/ledger. It
 * looks at every event through all that stand before it, slowly, and remembers nothing.
 */

interface Named {
  readonly path: string;
  readonly cid: string;
}

/** Fields of any kind: whoever looks at one knows that it is there. */
interface Fields {
  readonly execution_id: string;
  readonly step_id: string;
  readonly attempt: number;
  readonly retryable: boolean;
  readonly reason: string;
  readonly ok: boolean;
  readonly status: string;
  readonly steps: number;
  readonly predicates: number | undefined;
  readonly budget_limit_usd_micro: number;
  readonly spent_usd_micro: number;
  readonly usd_micro: number;
  readonly actual_usd_micro: number;
  readonly reserved_usd_micro: number;
  readonly receipt_path: string;
  readonly receipt_cid: string;
  readonly receipt_stored: boolean | undefined;
  readonly path: string;
  readonly cid: string;
  readonly pointer: string;
  readonly inputs: Readonly<Record<string, Named>>;
  readonly fact_id: string;
  readonly command_seq: number | undefined;
  readonly principal: string | undefined;
  readonly plan_path: string;
  readonly plan_cid: string;
  readonly admitted_path: string;
  readonly admitted_cid: string;
  readonly faults: readonly { readonly code: string }[];
}

/** An event as JSON has it. */
export interface Told {
  readonly by: string;
  readonly kind: string;
  readonly plan_id: string;
  readonly data: Fields;
}

const WRITERS: Readonly<Record<string, string>> = {
  'plan.submitted': 'admission',
  'lease.declared': 'admission',
  'plan.admitted': 'admission',
  'plan.rejected': 'admission',
  'plan.settled': 'settler',
  'predicate.checked': 'settler',
  'budget.settled': 'settler',
  'execution.settled': 'settler',
  'budget.reserved': 'dispatcher',
  'execution.scheduled': 'dispatcher',
  'execution.started': 'dispatcher',
  'execution.succeeded': 'dispatcher',
  'execution.failed': 'dispatcher',
  'execution.lost': 'dispatcher',
};

const isFact = ({ kind }: Told): boolean => /^(scratch|streams)\./.test(kind);
const isEnd = ({ kind }: Told): boolean => /^execution\.(succeeded|failed|lost)$/.test(kind);
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

function writerIsRight({ by, kind, data }: Told): boolean {
  if (/^(scratch|streams)\./.test(kind)) return by === 'sampler';
  if (kind === 'plan.cancel_requested') return by === (data.reason === 'client' ? 'admission' : 'dispatcher');
  if (kind === 'artifact.written') return by === 'dispatcher' || by === 'settler';
  return WRITERS[kind] === by;
}

/** What of a chain counts: all since the last submission. */
function current(before: readonly Told[]): readonly Told[] {
  const at = before.findLastIndex(({ kind }) => kind === 'plan.submitted');
  return before.slice(Math.max(0, at));
}

const scheduledOf = (past: readonly Told[]): Told[] => past.filter(({ kind }) => kind === 'execution.scheduled');

/** Steps with a success, and how many there must be. */
function stepsAreDone(past: readonly Told[]): boolean {
  const admitted = past.find(({ kind }) => kind === 'plan.admitted')?.data;
  const done = past.filter(({ kind }) => kind === 'execution.succeeded').length;
  const ran = new Set(scheduledOf(past).map(({ data }) => data.step_id)).size;
  return done === (admitted?.predicates === undefined ? Math.max(ran, admitted?.steps === 0 ? 0 : 1) : admitted.steps);
}

/** Documents of a plan lie in its folder. Where a name ends in 16 digits of a hash, they are those of the document. */
function documentIsRight(planId: string, path: string, cid: string): boolean {
  const digits = /-([0-9a-f]{16})\.json$/.exec(path)?.[1] ?? '';
  return path.split('/').slice(0, 4).join('/') === `/artifacts/plans/${planId}` && cid.slice(7).startsWith(digits);
}

function planEventIsRight(event: Told, past: readonly Told[], all: readonly Told[]): boolean {
  const has = (kind: string): boolean => past.some((one) => one.kind === kind);
  const { kind, data } = event;
  if (kind === 'plan.submitted') {
    if (data.principal === '_' || data.command_seq === 0) return false;
    if (!documentIsRight(event.plan_id, data.plan_path, data.plan_cid)) return false;
    if (past.length === 0) return true;
    const given = all.filter((one) => one.kind === 'plan.submitted').map((one) => one.data.command_seq);
    return has('plan.rejected') && !given.includes(data.command_seq);
  }
  if (kind === 'plan.admitted') {
    const isOld = data.predicates === undefined;
    if (isOld && past.some((one) => one.kind === 'plan.submitted' && one.data.command_seq !== undefined)) return false;
    if (!isOld && data.steps === 0) return false;
    if (!documentIsRight(event.plan_id, data.admitted_path, data.admitted_cid)) return false;
  }
  if (['lease.declared', 'plan.admitted', 'plan.rejected'].includes(kind)) {
    return has('plan.submitted') && !has('plan.admitted') && !has('plan.rejected');
  }
  if (!has('plan.admitted') || has('plan.settled')) return false;
  const admitted = past.find((one) => one.kind === 'plan.admitted')?.data;
  const checks = past.filter((one) => one.kind === 'predicate.checked');
  if (kind === 'plan.cancel_requested') return !has('plan.cancel_requested');
  if (kind === 'predicate.checked') {
    if (checks.some((one) => one.data.pointer === data.pointer)) return false;
    return stepsAreDone(past) && checks.length < (admitted?.predicates ?? 1e9);
  }
  if (kind !== 'plan.settled') return true;
  const ids = scheduledOf(past).map((one) => one.data.execution_id);
  const of = (id: string, what: string): boolean =>
    past.some((one) => one.kind === what && one.data.execution_id === id);
  const reserved = past.filter((one) => one.kind === 'budget.reserved').map((one) => one.data.execution_id);
  if (!ids.every((id) => of(id, 'execution.settled'))) return false;
  if (reserved.some((id) => !of(id, 'budget.settled') || !ids.includes(id))) return false;
  const spent = sum(past.filter((one) => one.kind === 'budget.settled').map((one) => one.data.actual_usd_micro));
  if (data.spent_usd_micro !== spent) return false;
  const isNew = admitted?.predicates !== undefined;
  if (data.status === 'cancelled') {
    if (isNew && stepsAreDone(past)) return false;
    return past.find((one) => one.kind === 'plan.cancel_requested')?.data.reason === 'client';
  }
  if (data.status === 'failed') return !isNew || !stepsAreDone(past) || checks.some((one) => !one.data.ok);
  const owed = past.filter((one) => one.kind === 'execution.settled' && one.data.receipt_stored === false);
  if (data.faults.length > owed.length || data.faults.some(({ code }) => code !== 'ERR_UNAVAILABLE')) return false;
  return (
    stepsAreDone(past) &&
    checks.every((one) => one.data.ok) &&
    checks.length === (admitted?.predicates ?? checks.length)
  );
}

const amountOf = (past: readonly Told[], id: string): number =>
  past.find(({ kind, data }) => kind === 'budget.reserved' && data.execution_id === id)?.data.usd_micro ?? 0;

function reservationIsRight({ data, plan_id: planId }: Told, past: readonly Told[]): boolean {
  const limit = past.find(({ kind }) => kind === 'plan.admitted')?.data.budget_limit_usd_micro;
  const settled = past.filter(({ kind }) => kind === 'budget.settled');
  const spent = sum(settled.map((one) => one.data.actual_usd_micro));
  const all = past.filter(({ kind }) => kind === 'budget.reserved');
  const held = sum(all.map((one) => one.data.usd_micro)) - sum(settled.map((one) => one.data.reserved_usd_micro));
  if (all.some((one) => one.data.execution_id === data.execution_id)) return false;
  const step = /^[^.]+\.([^.]+)\.\d+$/.exec(data.execution_id)?.[1];
  const next = 1 + scheduledOf(past).filter((one) => one.data.step_id === step).length;
  if (step === undefined || !stepMayRun(step, past)) return false;
  return data.execution_id === `${planId}.${step}.${next}` && spent + held + data.usd_micro <= (limit ?? 0);
}

function scheduleIsRight({ data, plan_id: planId }: Told, past: readonly Told[]): boolean {
  const before = scheduledOf(past).filter((one) => one.data.step_id === data.step_id);
  if (data.attempt !== before.length + 1) return false;
  if (data.execution_id !== `${planId}.${data.step_id}.${data.attempt}`) return false;
  return stepMayRun(data.step_id, past);
}

/** It is one of those that the plan has, and its attempt before was worth another. */
function stepMayRun(step: string, past: readonly Told[]): boolean {
  const admitted = past.find(({ kind }) => kind === 'plan.admitted')?.data;
  const others = new Set(scheduledOf(past).map((one) => one.data.step_id));
  others.delete(step);
  if (admitted?.predicates !== undefined && others.size >= admitted.steps) return false;
  const last = scheduledOf(past).findLast((one) => one.data.step_id === step);
  if (last === undefined) return true;
  const end = past.find((one) => isEnd(one) && one.data.execution_id === last.data.execution_id);
  return end?.kind === 'execution.lost' || (end?.kind === 'execution.failed' && end.data.retryable);
}

function executionEventIsRight(event: Told, past: readonly Told[]): boolean {
  const { kind, data, by, plan_id: planId } = event;
  const mine = past.filter((one) => one.data.execution_id === data.execution_id);
  const has = (what: string): boolean => mine.some((one) => one.kind === what);
  if (!has('execution.scheduled')) return false;
  const ended = mine.some(isEnd);
  if (kind === 'execution.started') {
    const isOther = ({ path, cid }: Named): boolean =>
      past.some((one) => one.kind === 'artifact.written' && one.data.path === path && one.data.cid !== cid);
    return !has('execution.started') && !ended && !Object.values(data.inputs).some(isOther);
  }
  if (kind === 'execution.succeeded') return has('execution.started') && !ended;
  if (kind === 'execution.failed' || kind === 'execution.lost') return !ended;
  if (kind === 'budget.settled') {
    if (!ended || has('budget.settled')) return false;
    if (!has('execution.started') && data.actual_usd_micro > 0) return false;
    return (
      data.reserved_usd_micro === amountOf(past, data.execution_id) && data.actual_usd_micro <= data.reserved_usd_micro
    );
  }
  if (kind === 'execution.settled') {
    // A path may be written again with the same CID: the last one tells whose it is.
    const receipt = past.findLast(
      (one) => one.kind === 'artifact.written' && one.data.path === data.receipt_path,
    )?.data;
    if (data.receipt_path !== `/artifacts/executions/${planId}/${data.execution_id}/determinism.json`) return false;
    if (data.receipt_stored === false) {
      if (receipt !== undefined || !past.some((one) => one.kind === 'plan.cancel_requested')) return false;
    } else if (receipt?.cid !== data.receipt_cid || receipt?.execution_id !== data.execution_id) return false;
    return has('budget.settled') && !has('execution.settled');
  }
  if (past.some((one) => one.kind === kind && one.data.path === data.path && one.data.cid !== data.cid)) return false;
  if (has('execution.settled')) return false;
  if (data.path.split('/').includes('..')) return false;
  const [, , folder = '', owner] = data.path.split('/');
  const isOld = past.some((one) => one.kind === 'plan.admitted' && one.data.predicates === undefined);
  if (!isOld && ['outputs', 'executions', 'plans', 'metrics'].includes(folder) && owner !== planId) return false;
  const isReceipt = data.path === `/artifacts/executions/${planId}/${data.execution_id}/determinism.json`;
  if (isReceipt !== (by === 'settler')) return false;
  if (by === 'settler') return ended;
  return has('execution.started') && !ended;
}

function isRight(event: Told, past: readonly Told[], all: readonly Told[]): boolean {
  if (!writerIsRight(event)) return false;
  if (/^(plan|lease|predicate)\./.test(event.kind)) return planEventIsRight(event, past, all);
  const running =
    past.some(({ kind }) => kind === 'plan.admitted') && !past.some(({ kind }) => kind === 'plan.settled');
  if (!running) return false;
  if (isFact(event)) return !past.some((one) => isFact(one) && one.data.fact_id === event.data.fact_id);
  const cancelled = past.some(({ kind }) => kind === 'plan.cancel_requested');
  const begins = ['budget.reserved', 'execution.scheduled', 'execution.started'].includes(event.kind);
  if (cancelled && begins) return false;
  if (event.kind === 'budget.reserved') return reservationIsRight(event, past);
  if (event.kind === 'execution.scheduled') return scheduleIsRight(event, past);
  return executionEventIsRight(event, past);
}

/** The place of the first event that cannot be, from 0; undefined when the history is legal. */
export function firstIllegal(chain: readonly object[]): number | undefined {
  const events = chain as readonly Told[];
  const at = events.findIndex(
    (event, index) => !isRight(event, current(events.slice(0, index)), events.slice(0, index)),
  );
  return at < 0 ? undefined : at;
}
