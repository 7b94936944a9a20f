import type { Pool } from 'pg';
import type { Context } from './context.ts';
import { lastSequence, readMessages } from './ledger-source.ts';

/** A plan that this version cannot follow to its end. */
export interface Unfollowed {
  readonly planId: string;
  readonly standing: 'newer' | 'quarantined';
  /** The first event that is not known, or not legal. */
  readonly seq: number;
  readonly reason: string;
  /** Time of the last event that was understood; undefined when none was. */
  readonly sinceMs: number | undefined;
}

/** Messages of a ledger that is read for this alone. */
const FEW_MESSAGES = 10_000;

interface StandingRow {
  readonly plan_id: string;
  readonly standing: Unfollowed['standing'];
  readonly seq: string;
  readonly reason: string;
  readonly known_until: Date | null;
}

async function fromPostgres(pool: Pool): Promise<Unfollowed[] | undefined> {
  const { rows: tables } = await pool.query<{ name: string | null }>(
    `select to_regclass('isomorph.standings') as name`,
  );
  if (tables[0]?.name == null) return undefined;
  const { rows } = await pool.query<StandingRow>(
    'select plan_id, standing, seq, reason, known_until from isomorph.standings order by known_until nulls first, plan_id',
  );
  return rows.map(({ plan_id: planId, standing, seq, reason, known_until: until }) => ({
    planId,
    standing,
    seq: Number(seq),
    reason,
    sinceMs: until?.getTime(),
  }));
}

/** A plan whose admitted document the projector cannot read. */
export interface Undocumented {
  readonly planId: string;
  readonly fault: string;
}

/** From the projection; empty without one, or where it was made by a version that does not tell. */
export async function undocumentedPlans(context: Context): Promise<Undocumented[]> {
  const pool = await context.pool();
  const columns = await pool?.query(
    `select from information_schema.columns
     where table_schema = 'isomorph' and table_name = 'plans' and column_name = 'document_fault'`,
  );
  if (pool === undefined || columns?.rowCount === 0) return [];
  const { rows } = await pool.query<{ plan_id: string; document_fault: string }>(
    'select plan_id, document_fault from isomorph.plans where document_fault is not null order by submitted_at, plan_id',
  );
  return rows.map(({ plan_id: planId, document_fault: fault }) => ({ planId, fault }));
}

async function fromLedger(context: Context): Promise<Unfollowed[] | undefined> {
  const connection = await context.connection('auditor');
  if ((await lastSequence(connection)) > FEW_MESSAGES) return undefined;
  const { Verifier } = await import('../shared/ledger/verify.ts');
  const verifier = new Verifier();
  for await (const one of readMessages(connection, undefined)) {
    if (one.kind === 'commit') verifier.commit(one.raws, `message ${one.message.seq}`);
  }
  const plans = verifier.verdict().plans.flatMap(({ planId, standing }): Unfollowed[] => {
    if (standing.kind === 'known') return [];
    const { kind, seq } = standing;
    const { ts } = verifier.reading(planId)?.state.head ?? {};
    const reason = kind === 'newer' ? standing.why : standing.error.message;
    return [{ planId, standing: kind, seq, reason, sinceMs: ts == null ? undefined : Date.parse(ts) }];
  });
  return plans.sort((a, b) => (a.sinceMs ?? 0) - (b.sinceMs ?? 0));
}

/** From the projection, else from a short ledger, the oldest first; undefined when that would be long reading. */
export async function unfollowedPlans(context: Context): Promise<Unfollowed[] | undefined> {
  const pool = await context.pool();
  return (pool === undefined ? undefined : await fromPostgres(pool)) ?? (await fromLedger(context));
}
