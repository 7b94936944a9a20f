import { type Bin, histogram, type Summary, summarise } from './statistics.ts';
import type { Delimiter, Table, TableColumn } from './table.ts';
import { type ColumnType, inferType, parseDate, parseNumber } from './values.ts';

export interface ValueCount {
  readonly value: string;
  readonly count: number;
}

interface ColumnFacts {
  readonly name: string;
  readonly missing: number;
  readonly distinct: number;
  /** The most frequent values, at most ten; equally frequent ones in the order of their code units. */
  readonly top: readonly ValueCount[];
}

export type NumberColumn = ColumnFacts & { readonly histogram: readonly Bin[] } & Summary & {
    readonly type: 'integer' | 'number';
  };
export type DateColumn = ColumnFacts & { readonly type: 'date'; readonly min: string; readonly max: string };
export type WordColumn = ColumnFacts & { readonly type: 'boolean' | 'category' | 'text' };
export type ProfileColumn = NumberColumn | DateColumn | WordColumn;

/** The content of `profile.json`. */
export interface Profile {
  readonly rows: number;
  readonly delimiter: Delimiter;
  /** Cells that count as missing, beside empty ones. */
  readonly missing_tokens: readonly string[];
  readonly columns: readonly ProfileColumn[];
  /** What was taken another way than the table has it; absent when nothing was. */
  readonly notes?: readonly string[];
}

export interface ProfileOptions {
  readonly missingTokens: readonly string[];
  /** About how many bins a histogram has; edges are round numbers. */
  readonly bins: number;
}

const TOP_VALUES = 10;
const MIDNIGHT = 'T00:00:00.000Z';

const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function countValues(values: readonly string[]): ValueCount[] {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return Array.from(counts, ([value, count]) => ({ value, count })).sort(
    (a, b) => b.count - a.count || byCodeUnits(a.value, b.value),
  );
}

const isoDate = (time: number): string => new Date(time).toISOString().replace(MIDNIGHT, '');

/** The text under which equal values are counted together: 1 and 1.0 are one number. */
function canonicalCell(type: ColumnType, cell: string): string {
  switch (type) {
    case 'integer':
    case 'number':
      return String(parseNumber(cell));
    case 'date':
      return isoDate(parseDate(cell) ?? 0);
    case 'boolean':
      return cell.toLowerCase();
    case 'category':
    case 'text':
      return cell;
  }
}

function profileColumn(column: TableColumn, missing: ReadonlySet<string>, bins: number): ProfileColumn {
  const present = column.cells.filter((cell) => !missing.has(cell));
  const type = inferType(present);
  const counts = countValues(present.map((cell) => canonicalCell(type, cell)));
  const facts = {
    name: column.name,
    missing: column.cells.length - present.length,
    distinct: counts.length,
    top: counts.slice(0, TOP_VALUES),
  };
  if (type === 'integer' || type === 'number') {
    const numbers = present.map((cell) => parseNumber(cell) ?? Number.NaN);
    const summary = summarise(numbers);
    if (summary !== undefined)
      return { ...facts, type, ...summary, histogram: histogram(numbers, bins, type === 'integer') };
  }
  if (type === 'date') {
    const times = present.map((cell) => parseDate(cell) ?? 0).sort((a, b) => a - b);
    return { ...facts, type, min: isoDate(times[0] ?? 0), max: isoDate(times.at(-1) ?? 0) };
  }
  return { ...facts, type: type === 'boolean' || type === 'category' ? type : 'text' };
}

/** Cells that count as missing under a profile. */
export const missingSet = (tokens: readonly string[]): ReadonlySet<string> => new Set(['', ...tokens]);

/** Describes each column of a table. Pure: the same table and options give the same profile on every machine. */
export function profileTable(table: Table, options: ProfileOptions): Profile {
  const missing = missingSet(options.missingTokens);
  return {
    rows: table.rows,
    delimiter: table.delimiter,
    missing_tokens: [...new Set(options.missingTokens)].sort(byCodeUnits),
    columns: table.columns.map((column) => profileColumn(column, missing, options.bins)),
    ...(table.notes.length === 0 ? {} : { notes: table.notes }),
  };
}
