import type { ErrorCode } from '../errors/codes.ts';
import type { Finding } from '../ledger/verify.ts';

/** A cell of the projection; `column` is undefined when the whole row is missing or should not be. */
export interface RowPlace {
  readonly table: string;
  /** Values of the key columns, by name. */
  readonly key: Readonly<Record<string, string>>;
  readonly column: string | undefined;
}

/** One thing that is wrong, and in which of the three it is. */
export interface FsckFinding extends Finding {
  readonly where: 'ledger' | 'postgres' | 'artifacts';
  /** What is there instead of `expected`; undefined when nothing is, or when it is told by the message. */
  readonly found: string | undefined;
  /** Of findings in Postgres. */
  readonly row: RowPlace | undefined;
}

/** A copy that is not what the ledger says. */
export const ROW_DIFFERS: ErrorCode = 'ERR_PROJECTION';

const SHOWN_CHARS = 120;
const SHOWN_BEFORE = 30;

/** Long values are shown around the first place where they differ. */
function excerpt(text: string, from: number): string {
  if (text.length <= SHOWN_CHARS) return text;
  const start = Math.max(0, from - SHOWN_BEFORE);
  const cut = text.slice(start, start + SHOWN_CHARS);
  return `${start > 0 ? '…' : ''}${cut}${start + SHOWN_CHARS < text.length ? '…' : ''}`;
}

function firstDifference(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  return at;
}

const describeRow = ({ table, key, column }: RowPlace): string => {
  const where = Object.entries(key).map(([name, value]) => `${name} ${value}`);
  return `${table} (${where.join(', ')})${column === undefined ? '' : `.${column}`}`;
};

function rowFinding(row: RowPlace, message: string, expected?: string, found?: string): FsckFinding {
  const seq = Number(row.key.seq);
  return {
    where: 'postgres',
    place: describeRow(row),
    planId: row.key.plan_id,
    seq: Number.isNaN(seq) ? undefined : seq,
    code: ROW_DIFFERS,
    message,
    expected,
    found,
    row,
  };
}

/** Cells as text; null is SQL's. */
export function cellFinding(row: RowPlace, expected: string | null, found: string | null): FsckFinding {
  const at = firstDifference(expected ?? '', found ?? '');
  const show = (text: string | null): string => (text === null ? 'null' : excerpt(text, at));
  return rowFinding(row, 'the row was altered', show(expected), show(found));
}

/** Encoded cells of one row, by column. */
export type EncodedRow = ReadonlyMap<string, string | null>;

/** The key of a row for a finding. */
export const pick = (cells: EncodedRow, key: readonly string[]): Record<string, string> =>
  Object.fromEntries(key.map((name) => [name, cells.get(name) ?? 'null']));

/** Differences cell by cell. */
export function differences(
  table: string,
  key: readonly string[],
  expected: EncodedRow,
  found: EncodedRow,
): FsckFinding[] {
  return [...expected].flatMap(([column, value]) => {
    const other = found.get(column) ?? null;
    return value === other ? [] : cellFinding({ table, key: pick(expected, key), column }, value, other);
  });
}

export const missingRow = (table: string, key: RowPlace['key']): FsckFinding =>
  rowFinding({ table, key, column: undefined }, 'the row is missing', 'a row');

export const extraRow = (table: string, key: RowPlace['key']): FsckFinding =>
  rowFinding({ table, key, column: undefined }, 'the ledger knows no such row', 'no row');

/** Findings kept of each of the three; a lost table must not fill the memory, nor hide what is wrong elsewhere. */
const MAX_FINDINGS = 1_000;

export class Findings {
  readonly #kept: FsckFinding[] = [];
  readonly #counts = new Map<FsckFinding['where'], number>();
  #omitted = 0;

  add(...findings: readonly FsckFinding[]): void {
    for (const finding of findings) {
      const count = this.#counts.get(finding.where) ?? 0;
      this.#counts.set(finding.where, count + 1);
      if (count < MAX_FINDINGS) this.#kept.push(finding);
      else this.#omitted += 1;
    }
  }

  get kept(): readonly FsckFinding[] {
    return this.#kept;
  }

  /** How many there are beside those kept. */
  get omitted(): number {
    return this.#omitted;
  }
}
