import type pg from 'pg';
import { canonicalText } from '../hash/canonical.ts';
import type { ColumnType } from './columns.ts';
import { type AnyRow, columnsOf, encodeCell, keyColumns, type TableName } from './tables.ts';

const quoted = (name: string): string => `"${name}"`;

/** One statement for any number of rows: a parameter a column, each an array. */
function upsertText(table: TableName): string {
  const columns = columnsOf(table);
  const key = keyColumns(table);
  const names = columns.map(([name]) => quoted(name)).join(', ');
  const values = columns.map(([, type], index) => `c${index}::${type}`).join(', ');
  const arrays = columns.map((_, index) => `$${index + 1}::text[]`).join(', ');
  const changes = columns
    .filter(([name]) => !key.includes(name))
    .map(([name]) => `${quoted(name)} = excluded.${quoted(name)}`);
  return `insert into isomorph.${table} (${names})
    select ${values} from unnest(${arrays}) as given(${columns.map((_, index) => `c${index}`).join(', ')})
    on conflict (${key.map(quoted).join(', ')}) do update set ${changes.join(', ')}`;
}

/** Creates rows or replaces those of the same key. */
export async function upsert(client: pg.PoolClient, table: TableName, rows: readonly AnyRow[]): Promise<void> {
  if (rows.length === 0) return;
  const arrays = columnsOf(table).map(([name, type]) => rows.map((row) => encodeCell(type, row[name] ?? null)));
  await client.query(upsertText(table), arrays);
}

/** Reads a column so that nothing of it is lost on the way: times to the microsecond, integers beyond 2^53. */
const selected = (name: string, type: ColumnType): string =>
  type === 'timestamptz'
    ? `to_char(${quoted(name)} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as ${quoted(name)}`
    : `${quoted(name)}::text as ${quoted(name)}`;

/** A column list of what {@link decodeStored} understands. */
export const selectList = (columns: readonly (readonly [string, ColumnType])[]): string =>
  columns.map(([name, type]) => selected(name, type)).join(', ');

/** What Postgres holds, in the form of `encodeCell`. */
export function decodeStored(type: ColumnType, text: string | null): string | null {
  if (text === null) return null;
  if (type === 'jsonb') return canonicalText(JSON.parse(text));
  // The ledger counts milliseconds: what is finer is shown, since it is not of the ledger.
  if (type === 'timestamptz') return text.replace(/000Z$/, 'Z');
  return text;
}
