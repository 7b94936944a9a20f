import type { NumberColumn, Profile, ProfileColumn } from '../csv_profile/profile.ts';
import { missingSet } from '../csv_profile/profile.ts';
import type { Table } from '../csv_profile/table.ts';
import { COLUMN_TYPES, parseNumber } from '../csv_profile/values.ts';
import { BadInputError } from '../sdk/index.ts';
import type { Group, Grouping } from './grouping.ts';
import { NEUTRAL, PALETTE } from './theme.ts';

/** A numeric column; a missing cell is undefined. */
export interface Measure {
  readonly column: NumberColumn;
  /** The name without its unit. */
  readonly label: string;
  /** From a name like `Body Mass (g)`; empty when it has none. */
  readonly unit: string;
  readonly edges: readonly number[];
  readonly values: readonly (number | undefined)[];
}

/** A column of few different words; a missing cell is undefined. */
export interface Category {
  readonly column: ProfileColumn;
  readonly values: readonly (string | undefined)[];
}

export interface ChartModel {
  readonly rows: number;
  readonly columns: readonly { readonly name: string; readonly missing: readonly boolean[] }[];
  readonly measures: readonly Measure[];
  readonly categories: readonly Category[];
  readonly grouping: Grouping;
}

/** Groups that get a colour of their own; the rest share a grey. */
const GROUPS_MAX = PALETTE.length;

/** Reads the content of `profile.json` as far as charts rely on it. Throws `BadInputError`. */
export function readProfile(json: string): Profile {
  const wrong = (cause?: unknown): BadInputError =>
    new BadInputError('the input "profile" is no profile of csv/profile@1', { cause });
  let parsed: Partial<Profile> | null;
  try {
    parsed = JSON.parse(json);
  } catch (thrown) {
    throw wrong(thrown);
  }
  const columns: readonly Partial<ProfileColumn>[] | undefined = parsed?.columns;
  const known = (type: unknown): boolean => COLUMN_TYPES.some((name) => name === type);
  if (!Array.isArray(columns) || !columns.every((column) => typeof column?.name === 'string' && known(column.type))) {
    throw wrong();
  }
  return parsed as Profile;
}

/** `Body Mass (g)` is a label and a unit. */
export function splitUnit(name: string): { readonly label: string; readonly unit: string } {
  const [bracketed, unit = ''] = /[([]([^()[\]]{1,12})[)\]]$/.exec(name) ?? [''];
  const label = name.slice(0, name.length - bracketed.length).trimEnd();
  return label === '' ? { label: name, unit: '' } : { label, unit };
}

function isMeasure(column: ProfileColumn): column is NumberColumn {
  return (column.type === 'integer' || column.type === 'number') && column.histogram.length > 0;
}

const isCategory = ({ type }: ProfileColumn): boolean => type === 'category' || type === 'boolean';

function chooseGrouping(candidates: readonly Category[], rows: number, colorBy: string | undefined): Grouping {
  const chosen =
    colorBy === undefined
      ? candidates.find(({ column }) => column.distinct >= 2 && column.distinct <= GROUPS_MAX)
      : candidates.find(({ column }) => column.name === colorBy);
  if (chosen === undefined) {
    if (colorBy !== undefined) {
      throw new BadInputError(`params.color_by: "${colorBy}" is no column of categories`, { code: 'ERR_PARAMS' });
    }
    return { name: '', groups: [{ label: 'all', color: PALETTE[0] }], groupOfRow: new Array<number>(rows).fill(0) };
  }
  const { column, values } = chosen;
  const colored = column.top.slice(0, column.distinct > GROUPS_MAX ? GROUPS_MAX - 1 : GROUPS_MAX);
  const groups: Group[] = colored.map(({ value }, index) => ({ label: value, color: PALETTE[index] ?? NEUTRAL }));
  const indexOf = new Map(colored.map(({ value }, index) => [value, index]));
  const rest = groups.length;
  const groupOfRow = values.map((value) => (value === undefined ? rest : (indexOf.get(value) ?? rest)));
  if (groupOfRow.includes(rest)) {
    groups.push({ label: column.distinct > GROUPS_MAX ? 'other' : 'missing', color: NEUTRAL });
  }
  return { name: column.name, groups, groupOfRow };
}

/** Brings a table and its profile together. Throws `BadInputError` when they do not belong together. */
export function buildModel(table: Table, profile: Profile, colorBy: string | undefined): ChartModel {
  const missing = missingSet(profile.missing_tokens ?? []);
  const same = table.columns.length === profile.columns.length && table.rows === profile.rows;
  if (!same || table.columns.some(({ name }, index) => name !== profile.columns[index]?.name)) {
    throw new BadInputError('the inputs "table" and "profile" do not belong together: their rows or columns differ');
  }
  const cellsOf = (column: ProfileColumn): (string | undefined)[] => {
    const cells = table.columns.find(({ name }) => name === column.name)?.cells ?? [];
    const normal = column.type === 'boolean' ? cells.map((cell) => cell.toLowerCase()) : cells;
    return normal.map((cell, row) => (missing.has(cells[row] ?? '') ? undefined : cell));
  };
  const measures = profile.columns.filter(isMeasure).map((column) => ({
    column,
    ...splitUnit(column.name),
    edges: [column.histogram[0]?.from ?? 0, ...column.histogram.map(({ to }) => to)],
    values: cellsOf(column).map((cell) => (cell === undefined ? undefined : parseNumber(cell))),
  }));
  const categories = profile.columns.filter(isCategory).map((column) => ({ column, values: cellsOf(column) }));
  return {
    rows: table.rows,
    columns: table.columns.map(({ name, cells }) => ({ name, missing: cells.map((cell) => missing.has(cell)) })),
    measures,
    categories,
    grouping: chooseGrouping(categories, table.rows, colorBy),
  };
}
