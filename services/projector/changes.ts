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

const isEqual = (names: readonly string[], a: AnyRow, b: AnyRow): boolean => names.every((name) => a[name] === b[name]);

/**
 * By value, and documents by identity: an unchanged one is the same object, an equal other one costs one write. Rows that
 * were there before stand in the same order now, with new ones between them.
 */
function changedOf(table: TableName, before: readonly AnyRow[], after: readonly AnyRow[]): AnyRow[] {
  const [key, all] = [keyColumns(table), columnsOf(table).map(([name]) => name)];
  let next = 0;
  return after.filter((row) => {
    const old = before[next];
    if (old === undefined || !isEqual(key, old, row)) return true;
    next += 1;
    return old !== row && !isEqual(all, old, row);
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
