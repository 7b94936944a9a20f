import type { Pool } from 'pg';
import type { Context } from '../context.ts';
import { type ListedPlan, planListLines } from '../render/plan.ts';

export interface PlansOptions {
  readonly limit: number;
}

/** SQLSTATE of a schema or table that is not there: no projector has run on this database yet. */
const NOT_PROJECTED = new Set(['3F000', '42P01']);

const QUERY = `
  select p.plan_id, coalesce(n.standing, p.status) as status, p.title, p.steps::float8 as steps, p.submitted_at, p.settled_at,
         b.spent_usd_micro::float8 as spent_usd_micro
  from isomorph.plans p left join isomorph.budgets b using (plan_id)
    left join isomorph.standings n using (plan_id)
  order by p.submitted_at desc nulls last, p.plan_id limit $1`;

type Queried = Omit<ListedPlan, 'submitted_at' | 'settled_at'> & { submitted_at: Date | null; settled_at: Date | null };

async function fromPostgres(pool: Pool, limit: number): Promise<ListedPlan[] | undefined> {
  try {
    const { rows } = await pool.query<Queried>(QUERY, [limit]);
    return rows.map((row) => ({
      ...row,
      submitted_at: row.submitted_at?.toISOString() ?? null,
      settled_at: row.settled_at?.toISOString() ?? null,
    }));
  } catch (error) {
    if (NOT_PROJECTED.has((error as { code?: string }).code ?? '')) return undefined;
    throw error;
  }
}

/** What reads a ledger is loaded only where there is no projection: it is most of the code, and of the start. */
async function fromLedger(context: Context, limit: number): Promise<ListedPlan[]> {
  const { Verifier } = await import('../../shared/ledger/verify.ts');
  const { rowsOf } = await import('../../shared/projection/rows.ts');
  const { readMessages } = await import('../ledger-source.ts');
  const verifier = new Verifier();
  for await (const one of readMessages(await context.connection('auditor'), undefined)) {
    if (one.kind === 'commit') verifier.commit(one.raws, `message ${one.message.seq}`);
  }
  const plans = verifier.verdict().plans.flatMap(({ planId }): ListedPlan[] => {
    const reading = verifier.reading(planId);
    if (reading === undefined) return [];
    const { plans: rows, budgets, standings } = rowsOf(reading, undefined);
    return rows.map(({ status, title, steps, submitted_at, settled_at }) => ({
      plan_id: planId,
      status: standings[0]?.standing ?? status ?? reading.state.phase,
      title,
      steps,
      submitted_at,
      settled_at,
      spent_usd_micro: budgets[0]?.spent_usd_micro ?? null,
    }));
  });
  return plans.sort((a, b) => ((a.submitted_at ?? '') < (b.submitted_at ?? '') ? 1 : -1)).slice(0, limit);
}

/** `isomorph plans`: the newest first, from the projection, else from the ledger. */
export async function plans(context: Context, { limit }: PlansOptions): Promise<number> {
  const pool = await context.pool();
  const listed =
    (pool === undefined ? undefined : await fromPostgres(pool, limit)) ?? (await fromLedger(context, limit));
  context.out.lines(...planListLines(listed, context.out.theme));
  context.out.document(listed);
  return 0;
}
