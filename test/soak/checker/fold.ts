/** What a chain says of its plan, followed one event after another, with all that cannot be. Pure. */
import type { Event } from './chains.ts';

export interface Run {
  readonly id: string;
  readonly step: string;
  readonly attempt: number;
  reserved: number;
  started?: Event;
  end?: Event;
  actual?: number;
  receipt?: { readonly path: string; readonly cid: string; readonly isStored: boolean };
}

export interface Written {
  readonly path: string;
  readonly cid: string;
  readonly sha256: string;
  readonly size: number;
  readonly run: string | undefined;
}

export interface Folded {
  phase: 'none' | 'submitted' | 'admitted' | 'rejected' | 'settled';
  principal: string;
  admittedPath: string;
  admittedCid: string;
  planPath: string;
  planCid: string;
  limit: number;
  held: number;
  spent: number;
  cancelled?: Event;
  settled?: Event;
  readonly runs: Map<string, Run>;
  readonly written: Map<string, Written>;
  readonly checks: { readonly ok: boolean; readonly pointer: string }[];
  readonly facts: Set<string>;
  /** What cannot be, each with the seq of its event. */
  readonly findings: string[];
}

const WRITERS: Readonly<Record<string, readonly string[]>> = {
  'plan.submitted': ['admission'],
  'plan.admitted': ['admission'],
  'plan.rejected': ['admission'],
  'plan.cancel_requested': ['admission', 'dispatcher'],
  'plan.settled': ['settler'],
  'lease.declared': ['admission'],
  'budget.reserved': ['dispatcher'],
  'budget.settled': ['settler'],
  'execution.scheduled': ['dispatcher'],
  'execution.started': ['dispatcher'],
  'execution.succeeded': ['dispatcher'],
  'execution.failed': ['dispatcher'],
  'execution.lost': ['dispatcher'],
  'execution.settled': ['settler'],
  'artifact.written': ['dispatcher', 'settler'],
  'predicate.checked': ['settler'],
};

const FACT = /^(scratch\.|streams\.sampled$)/;

type Take = (plan: Folded, event: Event, cannot: (why: string) => void) => void;

const text = (event: Event, name: string): string => String(event.data[name] ?? '');
const amount = (event: Event, name: string): number => Number(event.data[name]);

function runOf(plan: Folded, event: Event, cannot: (why: string) => void): Run {
  const id = text(event, 'execution_id');
  const run = plan.runs.get(id);
  if (run !== undefined) return run;
  if (event.kind !== 'budget.reserved' && event.kind !== 'execution.scheduled') cannot(`of no run: ${id}`);
  const [, step = '', attempt] = id.split('.');
  const made: Run = { id, step, attempt: Number(attempt), reserved: 0 };
  plan.runs.set(id, made);
  return made;
}

const ends: Take = (plan, event, cannot) => {
  const run = runOf(plan, event, cannot);
  if (run.end !== undefined) cannot(`${run.id} ends twice`);
  if (event.kind === 'execution.succeeded' && run.started === undefined) cannot(`${run.id} never started`);
  run.end = event;
};

const TAKES: Readonly<Record<string, Take>> = {
  'plan.submitted': (plan, event, cannot) => {
    if (plan.phase !== 'none' && plan.phase !== 'rejected') cannot('submitted again');
    plan.phase = 'submitted';
    plan.principal = text(event, 'principal');
    plan.planPath = text(event, 'plan_path');
    plan.planCid = text(event, 'plan_cid');
  },
  'plan.rejected': (plan, _, cannot) => {
    if (plan.phase !== 'submitted') cannot('not submitted');
    plan.phase = 'rejected';
  },
  'plan.admitted': (plan, event, cannot) => {
    if (plan.phase !== 'submitted') cannot('not submitted');
    plan.phase = 'admitted';
    plan.limit = amount(event, 'budget_limit_usd_micro');
    plan.admittedPath = text(event, 'admitted_path');
    plan.admittedCid = text(event, 'admitted_cid');
  },
  'plan.cancel_requested': (plan, event, cannot) => {
    if (plan.cancelled !== undefined) cannot('cancelled twice');
    plan.cancelled = event;
  },
  'budget.reserved': (plan, event, cannot) => {
    runOf(plan, event, cannot).reserved = amount(event, 'usd_micro');
    plan.held += amount(event, 'usd_micro');
  },
  'execution.scheduled': (plan, event, cannot) => {
    const run = runOf(plan, event, cannot);
    if (plan.cancelled !== undefined) cannot('scheduled after a cancel');
    const before = [...plan.runs.values()].filter(({ step, id }) => step === run.step && id !== run.id);
    if (run.attempt !== before.length + 1) cannot(`attempt ${run.attempt} behind ${before.length}`);
    if (before.some(({ end }) => end === undefined)) cannot(`${run.step} runs twice at once`);
    if (before.some(({ end }) => end?.kind === 'execution.succeeded')) cannot(`${run.step} runs after it succeeded`);
  },
  'execution.started': (plan, event, cannot) => {
    const run = runOf(plan, event, cannot);
    if (run.started !== undefined) cannot(`${run.id} starts twice`);
    run.started = event;
    for (const [name, input] of Object.entries(event.data.inputs ?? {}) as [string, { path: string; cid: string }][]) {
      const known = plan.written.get(input.path);
      if (known !== undefined && known.cid !== input.cid) cannot(`input ${name} is not what was written`);
    }
  },
  'execution.succeeded': ends,
  'execution.failed': ends,
  'execution.lost': ends,
  'artifact.written': (plan, event, cannot) => {
    const path = text(event, 'path');
    if (plan.written.has(path)) cannot(`${path} is written twice`);
    const run = event.data.execution_id === undefined ? undefined : text(event, 'execution_id');
    const { cid, sha256, size } = event.data;
    plan.written.set(path, { path, cid: String(cid), sha256: String(sha256), size: Number(size), run });
  },
  'budget.settled': (plan, event, cannot) => {
    const run = runOf(plan, event, cannot);
    if (run.actual !== undefined) cannot(`${run.id} is settled twice`);
    if (amount(event, 'reserved_usd_micro') !== run.reserved) cannot(`${run.id} had another reserve`);
    run.actual = amount(event, 'actual_usd_micro');
    plan.held -= run.reserved;
    plan.spent += run.actual;
  },
  'execution.settled': (plan, event, cannot) => {
    const run = runOf(plan, event, cannot);
    const path = text(event, 'receipt_path');
    if (run.receipt !== undefined) cannot(`${run.id} has two receipts`);
    if (run.end === undefined) cannot(`${run.id} has not ended`);
    if (path !== `/artifacts/executions/${event.plan_id}/${run.id}/determinism.json`) cannot(`a receipt at ${path}`);
    const isStored = event.data.receipt_stored !== false;
    if (!isStored && plan.cancelled === undefined) cannot(`${run.id} has no receipt, and its plan did not have to end`);
    const writtenCid = plan.written.get(path)?.cid;
    if (writtenCid !== (isStored ? text(event, 'receipt_cid') : undefined)) {
      cannot(isStored ? `${run.id}: its receipt was not written` : `${run.id}: its receipt was written`);
    }
    run.receipt = { path, cid: text(event, 'receipt_cid'), isStored };
  },
  'predicate.checked': (plan, event) => {
    plan.checks.push({ ok: event.data.ok === true, pointer: text(event, 'pointer') });
  },
  'plan.settled': (plan, event, cannot) => {
    if (plan.phase !== 'admitted') cannot('not admitted');
    if (plan.held !== 0) cannot(`${plan.held} is still held`);
    if (amount(event, 'spent_usd_micro') !== plan.spent) cannot(`spent is ${plan.spent}`);
    if ([...plan.runs.values()].some(({ receipt }) => receipt === undefined)) cannot('a run has no receipt');
    plan.phase = 'settled';
    plan.settled = event;
  },
};

export function folded(events: readonly Event[]): Folded {
  const plan: Folded = {
    phase: 'none',
    principal: '',
    admittedPath: '',
    admittedCid: '',
    planPath: '',
    planCid: '',
    limit: 0,
    held: 0,
    spent: 0,
    runs: new Map(),
    written: new Map(),
    checks: [],
    facts: new Set(),
    findings: [],
  };
  for (const event of events) {
    const { kind, seq, by } = event;
    const cannot = (why: string): void => void plan.findings.push(`seq ${seq} ${kind}: ${why}`);
    if (plan.phase === 'settled') cannot('behind the end of the plan');
    if (FACT.test(kind)) {
      if (by !== 'sampler') cannot(`by ${by}`);
      if (plan.facts.has(text(event, 'fact_id'))) cannot('a fact twice');
      plan.facts.add(text(event, 'fact_id'));
    } else if (WRITERS[kind]?.includes(by) !== true) cannot(`by ${by}`);
    TAKES[kind]?.(plan, event, cannot);
    if (plan.spent + plan.held > plan.limit) cannot(`${plan.spent} spent and ${plan.held} held of ${plan.limit}`);
  }
  return plan;
}
