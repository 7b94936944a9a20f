import {
  type AnyRow,
  columnsOf,
  keyColumns,
  type Rows,
  TABLE_NAMES,
  type TableName,
} from '../../shared/projection/tables.ts';

/** Rows to write, by table. */
export type Changes = Readonly<Record<TableName, readonly AnyRow[]>>;

const keyOf = (table: TableName, row: AnyRow): string => JSON.stringify(keyColumns(table).map((name) => row[name]));

/** By value, and documents by identity: an unchanged one is the same object, an equal other one costs one write. */
const isSame = (table: TableName, a: AnyRow, b: AnyRow): boolean =>
  columnsOf(table).every(([name]) => a[name] === b[name]);

function changedOf(table: TableName, before: readonly AnyRow[], after: readonly AnyRow[]): AnyRow[] {
  const known = new Map(before.map((row) => [keyOf(table, row), row]));
  return after.filter((row) => {
    const old = known.get(keyOf(table, row));
    return old === undefined || !isSame(table, old, row);
  });
}

/**
 * What differs between the rows that Postgres has of a plan (all of them when that is not known) and those it shall have.
 * What is said of a plan's standing is always written: a projector of a later version may have taken it away meanwhile.
 */
export function changesOf(before: Rows | undefined, after: Rows): Changes {
  return Object.fromEntries(
    TABLE_NAMES.map((table) => [
      table,
      before === undefined || table === 'standings' ? after[table] : changedOf(table, before[table], after[table]),
    ]),
  ) as unknown as Changes;
}

/** The changes of several plans, as one. */
export const mergeChanges = (changes: readonly Changes[]): Changes =>
  Object.fromEntries(TABLE_NAMES.map((table) => [table, changes.flatMap((one) => one[table])])) as unknown as Changes;
