/** Rows of Postgres against chains. */
import type pg from 'pg';
import type { Chain } from './chains.ts';
import { type Folded, folded } from './fold.ts';

type Row = Readonly<Record<string, unknown>>;

async function rowsOf(pool: pg.Pool, query: string, ids: readonly string[]): Promise<ReadonlyMap<string, Row[]>> {
  const { rows } = await pool.query<Row>(query, [ids]);
  const byPlan = new Map<string, Row[]>(ids.map((id) => [id, []]));
  for (const row of rows) byPlan.get(String(row.plan_id))?.push(row);
  return byPlan;
}

/** Plans whose rows stand at another event than their chains; empty once the projector has caught up. */
export async function behind(pool: pg.Pool, chains: ReadonlyMap<string, Chain>): Promise<string[]> {
  const query = 'select plan_id, head_hash from isomorph.plans where plan_id = any($1)';
  const heads = await rowsOf(pool, query, [...chains.keys()]);
  return [...chains].flatMap(([id, { events }]) =>
    heads.get(id)?.[0]?.head_hash === events.at(-1)?.this_hash ? [] : [id],
  );
}

const listed = (values: readonly string[]): string => [...values].sort().join('\n');

/** Each table as lines that both sides can write. */
const TABLES: readonly [name: string, query: string, expected: (plan: Folded, id: string) => readonly string[]][] = [
  [
    'plans and budgets',
    `select p.plan_id, concat_ws(' ', p.phase, p.status, b.limit_usd_micro, b.held_usd_micro, b.spent_usd_micro) as line
     from isomorph.plans p join isomorph.budgets b using (plan_id) where plan_id = any($1)`,
    ({ phase, settled, limit, held, spent }) => [[phase, settled?.data.status, limit, held, spent].join(' ')],
  ],
  [
    'executions',
    `select plan_id, concat_ws(' ', execution_id, status, reserved_usd_micro, actual_usd_micro) as line
     from isomorph.executions where plan_id = any($1)`,
    ({ runs }) =>
      [...runs.values()].map(({ id, end, reserved, actual }) =>
        [id, end?.kind.split('.')[1], reserved, actual].join(' '),
      ),
  ],
  [
    'artifacts',
    `select plan_id, concat_ws(' ', path, cid, sha256, size_bytes) as line from isomorph.artifacts where plan_id = any($1)`,
    ({ written }) => [...written.values()].map(({ path, cid, sha256, size }) => [path, cid, sha256, size].join(' ')),
  ],
  [
    'receipts',
    `select plan_id, concat_ws(' ', path, cid) as line from isomorph.receipts where plan_id = any($1)`,
    ({ runs }) =>
      [...runs.values()].flatMap(({ receipt }) =>
        receipt?.isStored === false ? [] : `${receipt?.path} ${receipt?.cid}`,
      ),
  ],
];

/** What Postgres says otherwise of settled plans. */
export async function rowFindings(pool: pg.Pool, chains: ReadonlyMap<string, Chain>): Promise<string[]> {
  const ids = [...chains.keys()];
  const findings: string[] = [];
  for (const [name, query, expected] of TABLES) {
    const rows = await rowsOf(pool, query, ids);
    for (const [id, { events }] of chains) {
      const told = listed((rows.get(id) ?? []).map(({ line }) => String(line)));
      const known = listed(expected(folded(events), id));
      if (told !== known) findings.push(`${id}: Postgres has other ${name}: ${told} instead of ${known}`);
    }
  }
  const query = 'select plan_id, bytes from isomorph.events where plan_id = any($1) order by plan_id, seq';
  const events = await rowsOf(pool, query, ids);
  for (const [id, { lines }] of chains) {
    const told = (events.get(id) ?? []).map(({ bytes }) => (bytes as Buffer).toString('utf8'));
    if (told.join('\n') !== lines.join('\n')) findings.push(`${id}: Postgres has other events than the ledger`);
  }
  return findings;
}
