import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { isOver } from '../../shared/ledger/state.ts';
import { commanderOf } from '../commander.ts';
import type { Context } from '../context.ts';
import { loadPlan } from '../load-plan.ts';
import { publishCommand } from '../publish-command.ts';
import { GLYPH } from '../render/theme.ts';
import { watchPlan } from './watch.ts';

export interface CancelOptions {
  readonly wait?: boolean;
  readonly principal?: string;
}

/** `isomorph cancel <plan>`: asks first what the ledger knows, since a cancellation of nothing has no other answer. */
export async function cancel(
  context: Context,
  planId: string,
  { wait = false, principal }: CancelOptions,
): Promise<number> {
  const { out } = context;
  const commander = await commanderOf(context, principal);
  const { state } = await loadPlan(context, planId);
  if (isOver(state)) {
    const how = state.settled?.status ?? 'rejected';
    throw new IsomorphError('ERR_PLAN_SETTLED', `plan ${planId} has already ended: ${how}`);
  }
  const body = canonicalBytes({ plan_id: planId });
  const publish = async (): Promise<number> => {
    const ack = await publishCommand(commander, 'cancel', body);
    out.lines(
      `${out.theme.good(GLYPH.good)} the command to cancel ${out.theme.bold(planId)} is stored as message ${ack.seq} of ${ack.stream}`,
      ...(wait
        ? []
        : [
            out.theme.dim(
              `  not judged yet: npx isomorph show ${planId}, and npx isomorph dead ${planId} if it is refused`,
            ),
          ]),
    );
    out.document({ type: 'cancel', plan_id: planId, ack });
    return ack.seq;
  };
  if (wait) {
    const asked = { principal: commander.principal, publish };
    return (await watchPlan(context, planId, {}, asked)) === 'refused' ? 1 : 0;
  }
  await publish();
  return 0;
}
