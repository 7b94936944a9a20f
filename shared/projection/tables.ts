import { canonicalText } from '../hash/canonical.ts';
import { type ColumnType, EXECUTION_COLUMNS, PLAN_COLUMNS, typesOf, type ValueOf } from './columns.ts';

interface TableShape {
  /** `plan_id`, and what tells rows of one plan apart. */
  readonly key: readonly string[];
  readonly columns: Readonly<Record<string, ColumnType>>;
}

/** Tables that are derived from the state of a plan. The migrations create them; their test compares the two. */
export const TABLES = {
  plans: {
    key: ['plan_id'],
    columns: typesOf(PLAN_COLUMNS),
  },
  steps: {
    key: ['plan_id', 'step_id'],
    columns: {
      plan_id: 'text',
      step_id: 'text',
      position: 'bigint',
      processor: 'text',
      adapter: 'text',
      needs: 'jsonb',
      inputs: 'jsonb',
      write_prefix: 'text',
      status: 'text',
      attempts: 'bigint',
      execution_id: 'text',
      not_before: 'timestamptz',
    },
  },
  executions: {
    key: ['plan_id', 'execution_id'],
    columns: typesOf(EXECUTION_COLUMNS),
  },
  artifacts: {
    key: ['plan_id', 'position'],
    columns: {
      plan_id: 'text',
      position: 'bigint',
      path: 'text',
      cid: 'text',
      sha256: 'text',
      size_bytes: 'bigint',
      content_type: 'text',
      execution_id: 'text',
    },
  },
  receipts: {
    key: ['plan_id', 'execution_id'],
    columns: {
      plan_id: 'text',
      execution_id: 'text',
      step_id: 'text',
      path: 'text',
      cid: 'text',
      memo_key: 'text',
    },
  },
  budgets: {
    key: ['plan_id'],
    columns: { plan_id: 'text', limit_usd_micro: 'bigint', held_usd_micro: 'bigint', spent_usd_micro: 'bigint' },
  },
  standings: {
    key: ['plan_id'],
    columns: { plan_id: 'text', standing: 'text', seq: 'bigint', reason: 'text', known_until: 'timestamptz' },
  },
} as const satisfies Record<string, TableShape>;

export type TableName = keyof typeof TABLES;

export const TABLE_NAMES = Object.keys(TABLES) as readonly TableName[];

export type ColumnValue = ValueOf[ColumnType] | null;

export type Row<N extends TableName> = {
  readonly [C in keyof (typeof TABLES)[N]['columns']]: ValueOf[(typeof TABLES)[N]['columns'][C] & ColumnType] | null;
};

/** Rows of one plan, by table. */
export type Rows = { readonly [N in TableName]: readonly Row<N>[] };

/** A row of any table. */
export type AnyRow = Readonly<Record<string, ColumnValue>>;

export const columnsOf = (table: TableName): [name: string, type: ColumnType][] =>
  Object.entries(TABLES[table].columns);

export const keyColumns = (table: TableName): readonly string[] => TABLES[table].key;

/** Postgres can hold no U+0000 in text. */
const withoutNul = (text: string): string => text.replaceAll('\0', '\ufffd');

/** JSON text as jsonb can hold it: an escaped U+0000, which it refuses, becomes U+FFFD. */
export const jsonbText = (json: string): string =>
  json.includes('\\u0000') ? json.replace(/(?<!\\)((?:\\\\)*)\\u0000/g, '$1\ufffd') : json;

/** A time as Postgres can hold it; null for one that no calendar has: an event's form alone does not exclude those. */
export function instant(text: string): string | null {
  const ms = Date.parse(text);
  return !Number.isNaN(ms) && new Date(ms).toISOString() === text && !text.startsWith('0000') ? text : null;
}

/**
 * A value in the form in which it is sent to Postgres and in which two values are compared.
 * @returns null for SQL's null
 */
export function encodeCell(type: ColumnType, value: ColumnValue): string | null {
  if (value === null) return null;
  if (type === 'jsonb') return jsonbText(canonicalText(value));
  if (type === 'timestamptz') return instant(String(value));
  return withoutNul(String(value));
}
