export const COLUMN_TYPES = ['integer', 'number', 'date', 'boolean', 'category', 'text'] as const;
export type ColumnType = (typeof COLUMN_TYPES)[number];

/** What counts as missing beside the empty cell, when params name nothing else. */
export const DEFAULT_MISSING = ['NA', 'N/A', 'NaN', 'null', 'NULL'] as const;

const INTEGER = /^[+-]?(0|[1-9][0-9]*)$/;
/** No leading zeros: `007` is a name. */
const NUMBER = /^[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$/;
/** Zero as it is written, not what is too small to be held; -0 is 0, so that one value has one text. */
const ZERO = /^[+-]?[0.]+([eE].*)?$/;
/** Squares and differences of larger magnitudes overflow, of smaller ones vanish: such texts stay texts. */
const MAGNITUDE_MAX = 1e150;
const MAGNITUDE_MIN = 1e-150;
const DATE = /^(\d{4}-\d{2}-\d{2})([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/;
const BOOLEANS = new Set(['true', 'false', 'yes', 'no']);

/** A column of few different texts is a category: at most this many, and each seen twice on average. */
const CATEGORY_DISTINCT_MAX = 50;

/** The number a cell stands for; undefined when it is none. */
export function parseNumber(cell: string): number | undefined {
  if (!NUMBER.test(cell)) return undefined;
  const value = Number(cell);
  const magnitude = Math.abs(value);
  if (value === 0) return ZERO.test(cell) ? 0 : undefined;
  return magnitude >= MAGNITUDE_MIN && magnitude <= MAGNITUDE_MAX ? value : undefined;
}

/** Milliseconds since 1970 of an ISO 8601 date or date-time; without a zone it is UTC. Undefined for anything else. */
export function parseDate(cell: string): number | undefined {
  const match = DATE.exec(cell);
  const day = match?.[1];
  if (match === null || day === undefined) return undefined;
  const midnight = new Date(`${day}T00:00:00Z`);
  // Engines may read the 31st of February as a day of March.
  if (Number.isNaN(midnight.getTime()) || !midnight.toISOString().startsWith(day)) return undefined;
  if (match[2] === undefined) return midnight.getTime();
  const time = Date.parse(`${cell.replace(' ', 'T')}${match[5] === undefined ? 'Z' : ''}`);
  return Number.isNaN(time) ? undefined : time;
}

const isInteger = (cell: string): boolean => INTEGER.test(cell) && Number.isSafeInteger(Number(cell));

/** The narrowest type that every present cell has. A column without any present cell is text. */
export function inferType(present: readonly string[]): ColumnType {
  if (present.length === 0) return 'text';
  if (present.every(isInteger)) return 'integer';
  if (present.every((cell) => parseNumber(cell) !== undefined)) return 'number';
  if (present.every((cell) => parseDate(cell) !== undefined)) return 'date';
  if (present.every((cell) => BOOLEANS.has(cell.toLowerCase()))) return 'boolean';
  const distinct = new Set(present).size;
  return distinct <= CATEGORY_DISTINCT_MAX && distinct * 2 <= present.length ? 'category' : 'text';
}
