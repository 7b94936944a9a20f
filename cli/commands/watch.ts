import { heardPrincipal } from '../commander.ts';
import type { Context } from '../context.ts';
import { follow } from '../follow.ts';
import { lastSequence } from '../ledger-source.ts';
import { admittedOf, checkPlanArgument, loadPlan } from '../load-plan.ts';
import { openView } from '../view.ts';

export interface WatchOptions {
  readonly all?: boolean;
}

/** What the ledger knows of a plan when it begins to be watched. */
interface Known {
  readonly steps: readonly string[];
  readonly headSeq: number;
}

/** A plan that has not come yet is waited for. */
async function knownOf(context: Context, planId: string): Promise<Known> {
  try {
    const { state } = await loadPlan(context, planId);
    const admitted = await admittedOf(context, state);
    return { steps: admitted?.steps.map(({ id }) => id) ?? [], headSeq: state.head.seq };
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_PLAN_UNKNOWN') throw error;
    context.out.note(`no plan ${planId} is in the ledger yet; waiting for it (Ctrl-C ends)`);
    return { steps: [], headSeq: 0 };
  }
}

/** A command about a plan whose answer is waited for. */
export interface Asked {
  readonly principal: string;
  /** Publishes it, once its answer would be heard, and says under which sequence it is stored. */
  readonly publish: () => Promise<number>;
}

type Watched = 'succeeded' | 'not succeeded' | 'refused' | 'unwatched';

/** Shows a plan from its start to its end, or to the refusal of what is asked. */
export async function watchPlan(
  context: Context,
  planId: string,
  { all = false }: WatchOptions,
  asked?: Asked,
): Promise<Watched> {
  const { out, terminal } = context;
  const { steps, headSeq } = await knownOf(context, checkPlanArgument(planId));
  const done = new AbortController();
  const signal = AbortSignal.any([terminal.interrupted, done.signal]);
  const principal = asked?.principal ?? heardPrincipal(context);
  const items = await follow(context, { planId, principal, fromSeq: 1, signal, progress: !all });
  const view = openView(out, { steps, all });
  try {
    const commandSeq = await asked?.publish();
    for await (const item of items) {
      view.item(item);
      const end = item.kind === 'commit' ? item.events.at(-1) : undefined;
      if (end?.kind === 'plan.settled') return end.data.status === 'succeeded' ? 'succeeded' : 'not succeeded';
      // One that others follow gave the id back: the plan is what took it.
      if (end?.kind === 'plan.rejected' && end.seq >= headSeq) return 'not succeeded';
      const isOurs = item.kind === 'refused' && (item.commandSeq ?? commandSeq) === commandSeq;
      if (isOurs && asked !== undefined) return 'refused';
    }
    return 'unwatched';
  } finally {
    done.abort();
    view.close();
  }
}

async function watchAll(context: Context, { all = false }: WatchOptions): Promise<number> {
  const { out, terminal } = context;
  const fromSeq = (await lastSequence(await context.connection('auditor'))) + 1;
  const principal = heardPrincipal(context);
  const items = await follow(context, {
    planId: undefined,
    principal,
    fromSeq,
    signal: terminal.interrupted,
    progress: false,
  });
  const view = openView(out, { manyPlans: true, all });
  out.note('watching the ledger, times in UTC (Ctrl-C ends)');
  for await (const item of items) view.item(item);
  return 0;
}

/** `isomorph watch [plan]`: one plan from its start to its end, or everything that happens from now on. */
export async function watch(context: Context, planId: string | undefined, options: WatchOptions): Promise<number> {
  if (planId === undefined) return watchAll(context, options);
  return (await watchPlan(context, planId, options)) === 'not succeeded' ? 1 : 0;
}
