import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { type PlanEnd, SubmissionAnswer } from '../answer.ts';
import { type Commander, commanderOf } from '../commander.ts';
import type { Context } from '../context.ts';
import { follow } from '../follow.ts';
import { type PlanDocument, readPlan, stepIdsOf } from '../plan-file.ts';
import { publishCommand } from '../publish-command.ts';
import { faultLines, type ShownFault } from '../render/error.ts';
import { GLYPH } from '../render/theme.ts';
import { openView } from '../view.ts';

export interface SubmitOptions {
  readonly wait?: boolean;
  readonly planId?: string;
  readonly adapter?: string;
  readonly principal?: string;
}

/**
 * Publishes a plan, shows what happens to it and returns how it ended. Listens before it publishes, so that nothing
 * is missed. A plan that was submitted before is shown from its start, without commands that were rejected before ours.
 */
export async function submitAndFollow(
  context: Context,
  commander: Commander,
  plan: PlanDocument,
  signal: AbortSignal,
): Promise<PlanEnd> {
  const { principal } = commander;
  const { out } = context;
  const body = canonicalBytes(plan);
  const done = new AbortController();
  const stop = AbortSignal.any([signal, done.signal]);
  const items = await follow(context, { planId: plan.plan_id, principal, fromSeq: 1, signal: stop, progress: true });
  const view = openView(out, { steps: stepIdsOf(plan) });
  try {
    const ack = await publishCommand(commander, 'submit', body);
    out.document({ type: 'submitted', plan_id: plan.plan_id, ack });
    const answer = new SubmissionAnswer({ planCid: cidOf(body), commandSeq: ack.seq });
    for await (const item of items) {
      const { isOurs, end } = answer.hear(item);
      if (isOurs && end?.status !== 'refused') view.item(item);
      if (end !== undefined) return end;
    }
    return { status: 'unwatched' };
  } finally {
    done.abort();
    view.close();
  }
}

export function showRefusal({ out }: Context, fault: ShownFault): void {
  out.lines(`${out.theme.bad(GLYPH.bad)} the command was refused`);
  out.lines(...faultLines(fault, out.theme, out.theme.columns - 2).map((line) => `  ${line}`));
}

export function exitCodeOf(end: PlanEnd): number {
  if (end.status === 'unwatched') return 130;
  return end.status === 'succeeded' ? 0 : 1;
}

async function submitOnly({ out }: Context, commander: Commander, plan: PlanDocument): Promise<number> {
  const ack = await publishCommand(commander, 'submit', canonicalBytes(plan));
  out.lines(
    `${out.theme.good(GLYPH.good)} plan ${out.theme.bold(plan.plan_id)} is stored as message ${ack.seq} of ${ack.stream}`,
    out.theme.dim(`  follow it: npx isomorph watch ${plan.plan_id}`),
  );
  out.document({ plan_id: plan.plan_id, ack });
  return 0;
}

/** `isomorph submit <file>`. */
export async function submit(context: Context, file: string, options: SubmitOptions): Promise<number> {
  const { out, terminal } = context;
  const plan = await readPlan(file, terminal, { planId: options.planId, adapter: options.adapter });
  const commander = await commanderOf(context, options.principal);
  if (options.wait !== true) return submitOnly(context, commander, plan);
  const end = await submitAndFollow(context, commander, plan, terminal.interrupted);
  if (end.status === 'refused') showRefusal(context, end.fault);
  if (end.status === 'unwatched') out.note(`the plan goes on: npx isomorph watch ${plan.plan_id}`);
  else if (end.status !== 'refused')
    out.lines(out.theme.dim(`  everything about it: npx isomorph show ${plan.plan_id}`));
  out.document({ type: 'result', plan_id: plan.plan_id, ...end });
  return exitCodeOf(end);
}
