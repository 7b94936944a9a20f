import fc from 'fast-check';
import type { Draft, LedgerWriter } from '../../shared/ledger/events.ts';
import type { Execution, PlanState } from '../../shared/ledger/state.ts';
import {
  admitted,
  Chain,
  cancelRequested,
  checked,
  fact,
  failed,
  lost,
  rejected,
  scheduled,
  settled,
  settledExecution,
  started,
  submitted,
  succeeded,
  written,
} from './plan-history.ts';

interface Command {
  readonly by: LedgerWriter;
  readonly drafts: readonly Draft[];
}

const STEPS = ['fetch', 'train', 'judge'] as const;
const MAX_ATTEMPTS = 4;
const LIMITS = [5_000, 400, 50, 0];

function scheduleCommands(state: PlanState, flavour: number): Command[] {
  if (state.cancelRequested !== undefined) return [];
  const left = state.budget.limit - state.budget.spent - state.budget.held;
  return STEPS.flatMap((stepId): Command[] => {
    const ids = state.attempts.get(stepId) ?? [];
    const last = state.executions.get(ids.at(-1) ?? '');
    const open = last !== undefined && last.end === undefined;
    const final = last?.end?.status === 'succeeded' || (last?.end?.status === 'failed' && !last.end.retryable);
    if (open || final || ids.length >= MAX_ATTEMPTS) return [];
    // Up to and with the last micro-dollar that is left.
    const reserve = flavour % 4 === 0 ? 0 : Math.floor((left * (flavour % 4)) / 3);
    return [{ by: 'dispatcher', drafts: scheduled(state.planId, stepId, ids.length + 1, reserve) }];
  });
}

function executionCommands(state: PlanState, execution: Execution, flavour: number): Command[] {
  const { executionId: id, stepId, reservedUsdMicro: reserved } = execution;
  const durationMs = flavour % 5_000;
  if (execution.end === undefined) {
    const start: Command = { by: 'dispatcher', drafts: [started(id)] };
    const output = written(state.planId, stepId, `out-${execution.attempt}.json`, id);
    const ends: Command[] = [
      { by: 'dispatcher', drafts: [failed(id, durationMs, { retryable: flavour % 3 > 0 })] },
      { by: 'dispatcher', drafts: [lost(id, flavour % 2 === 0 ? durationMs : null)] },
    ];
    if (execution.started === undefined)
      return state.cancelRequested === undefined ? [start, start, start, ...ends] : ends;
    const success: Command = { by: 'dispatcher', drafts: [output, succeeded(id, durationMs)] };
    return [success, success, success, ...ends];
  }
  if (execution.settled !== undefined) return [];
  const actual = execution.started === undefined ? 0 : Math.floor((reserved * (flavour % 5)) / 4);
  return [{ by: 'settler', drafts: settledExecution(state.planId, id, reserved, actual) }];
}

function endCommands(state: PlanState, flavour: number): Command[] {
  const { budget, predicates, admitted: by, cancelRequested: cancelled } = state;
  if (budget.held > 0 || state.unsettled.size > 0) return [];
  const all = state.stepsSucceeded === STEPS.length;
  const due = all && predicates.length < (by?.predicates ?? 0);
  const check: Command = { by: 'settler', drafts: [checked(predicates.length, flavour % 4 > 0)] };
  const end = (status: 'succeeded' | 'failed' | 'cancelled'): Command => ({
    by: 'settler',
    drafts: [settled(status, budget.spent)],
  });
  const bad = all && predicates.some(({ ok }) => !ok);
  const good = all && !due && predicates.every(({ ok }) => ok);
  return [
    ...(due ? [check, check] : []),
    ...(good ? [end('succeeded')] : []),
    ...(cancelled?.reason === 'client' && !all ? [end('cancelled')] : []),
    ...(bad || (flavour % 50 === 0 && !all) ? [end('failed')] : []),
  ];
}

/** Every legal next commit; `flavour` varies amounts. */
function commandsOf(state: PlanState, flavour: number): Command[] {
  const { planId, phase } = state;
  if (phase === 'absent' || phase === 'rejected') {
    const commandSeq = (state.submitted?.command_seq ?? 0) + 1 + (flavour % 9);
    const limit = LIMITS[flavour % LIMITS.length] ?? 0;
    const first = submitted(planId, commandSeq);
    const admit: Command = { by: 'admission', drafts: [first, admitted(planId, limit)] };
    const reject: Command = { by: 'admission', drafts: [first, rejected('too much')] };
    return [admit, admit, admit, admit, admit, admit, admit, reject];
  }
  if (phase !== 'admitted') return [];
  const facts = state.facts.size;
  const cancel: Command =
    flavour % 2 === 0
      ? { by: 'admission', drafts: [cancelRequested('client')] }
      : { by: 'dispatcher', drafts: [cancelRequested('deadline')] };
  return [
    ...scheduleCommands(state, flavour),
    ...[...state.executions.values()].flatMap((execution) => executionCommands(state, execution, flavour)),
    ...endCommands(state, flavour),
    { by: 'sampler', drafts: [fact(facts), fact(facts + 1)] },
    ...(flavour % 5 === 0 && state.cancelRequested === undefined ? [cancel] : []),
  ];
}

/** Brings an admitted plan to its end. */
function finish(chain: Chain): void {
  for (const { executionId, end } of chain.state.executions.values()) {
    if (end === undefined) chain.append('dispatcher', [lost(executionId, 7)]);
  }
  for (const { executionId, started: start, settled: done, reservedUsdMicro } of chain.state.executions.values()) {
    const actual = start === undefined ? 0 : reservedUsdMicro;
    if (done === undefined)
      chain.append('settler', settledExecution(chain.planId, executionId, reservedUsdMicro, actual));
  }
  const { phase, stepsSucceeded, predicates, admitted: by } = chain.state;
  if (phase !== 'admitted') return;
  const all = stepsSucceeded === STEPS.length;
  const due = all ? Array.from({ length: by?.predicates ?? 0 }, (_, index) => checked(index, true)) : [];
  const left = due.slice(predicates.length);
  const status = all && predicates.every(({ ok }) => ok) ? 'succeeded' : 'failed';
  chain.append('settler', [...left, settled(status, chain.state.budget.spent)]);
}

/** The history that a list of choices leads to. The same choices, the same bytes. */
export function historyOf(planId: string, choices: readonly number[], complete = false): Chain {
  const chain = new Chain(planId);
  for (const choice of choices.length === 0 ? [0] : choices) {
    const flavour = Math.floor(choice / 64);
    const commands = commandsOf(chain.state, flavour);
    const command = commands[choice % Math.max(1, commands.length)];
    if (command === undefined) break;
    chain.append(command.by, command.drafts, choice % 50);
  }
  if (complete) finish(chain);
  return chain;
}

/** Without a bias to small numbers and short lists, which would schedule little and end early. */
const choices = (maxLength: number) => fc.array(fc.noBias(fc.nat({ max: 1 << 20 })), { maxLength, size: 'max' });

/** Legal histories of a plan, open or ended. */
export const histories = (maxCommits = 40): fc.Arbitrary<Chain> =>
  choices(maxCommits).map((list) => historyOf('plan', list));

/** Legal histories that end in plan.settled. */
export const completeHistories = (maxCommits = 25): fc.Arbitrary<Chain> =>
  choices(maxCommits).map((list) => historyOf('plan', list, true));
