import * as assert from 'uvu/assert';
import { changesOf, mergeChanges } from '../../services/projector/changes.ts';
import { type AnyRow, keyColumns, type Rows, TABLE_NAMES, type TableName } from '../../shared/projection/tables.ts';
import { suite } from '../harness/suite.ts';

const test = suite('changes of a projection');

const NONE = Object.fromEntries(TABLE_NAMES.map((table) => [table, []])) as unknown as Rows;
const rowsOf = (table: TableName, rows: readonly AnyRow[]): Rows => ({ ...NONE, [table]: rows }) as Rows;

/** A row of a table: its key, and one value more. */
const row = (table: TableName, key: string, value: Record<string, unknown> = {}): AnyRow =>
  ({ ...Object.fromEntries(keyColumns(table).map((name) => [name, key])), ...value }) as AnyRow;

test('nothing is known of what Postgres has: everything is written', () => {
  const after = rowsOf('plans', [row('plans', 'a'), row('plans', 'b')]);
  assert.equal(changesOf(undefined, after), after);
});

/** All but what is said of a plan's standing. */
const OTHERS = TABLE_NAMES.filter((table) => table !== 'standings');

test('a plan is marked again with each change: another version may have taken the mark away', () => {
  const marked = rowsOf('standings', [row('standings', 'p', { standing: 'newer', seq: 4 })]);
  assert.equal(changesOf(marked, marked), marked);
});

test('what stands as it was is not written, in any other table', () => {
  for (const table of OTHERS) {
    const [old, other] = [row(table, 'old'), row(table, 'new')];
    assert.equal(changesOf(rowsOf(table, [old]), rowsOf(table, [{ ...old }, other])), rowsOf(table, [other]), table);
  }
});

test('a row with another value is written, and no row is taken for its neighbour', () => {
  const before = rowsOf('plans', [row('plans', 'a', { status: 'running' }), row('plans', 'b', { status: 'running' })]);
  const a = row('plans', 'a', { status: 'succeeded' });
  const after = rowsOf('plans', [a, row('plans', 'b', { status: 'running' })]);
  assert.equal(changesOf(before, after).plans, [a]);
});

test('rows that differ from each other, but not from what they were, are not written', () => {
  for (const table of OTHERS) {
    const rows = rowsOf(table, [row(table, 'a'), row(table, 'b')]);
    assert.equal(changesOf(rows, rowsOf(table, [row(table, 'a'), row(table, 'b')])), NONE, table);
  }
});

test('changes of several plans are written in their order', () => {
  const [one, two] = ['a', 'b'].map((key) => rowsOf('plans', [row('plans', key)]));
  assert.equal(mergeChanges([one ?? NONE, two ?? NONE]).plans, [row('plans', 'a'), row('plans', 'b')]);
  assert.equal(mergeChanges([]), NONE);
});

test.run();
