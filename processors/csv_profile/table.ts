import { CsvError, parse } from 'csv-parse/sync';
import { BadInputError } from '../sdk/index.ts';

export const DELIMITERS = [',', ';', '\t', '|'] as const;
export type Delimiter = (typeof DELIMITERS)[number];

export interface TableColumn {
  readonly name: string;
  /** One text a row, without surrounding space, as the file has it. */
  readonly cells: readonly string[];
}

export interface Table {
  readonly delimiter: Delimiter;
  readonly rows: number;
  readonly columns: readonly TableColumn[];
}

/** The delimiter that occurs most often outside quotes in the first line; a comma when none does. */
export function detectDelimiter(text: string): Delimiter {
  const header = text.slice(0, /\r?\n/.exec(text)?.index ?? text.length).replace(/"[^"]*"/g, '');
  const count = (delimiter: Delimiter): number => header.split(delimiter).length - 1;
  return DELIMITERS.reduce((best, delimiter) => (count(delimiter) > count(best) ? delimiter : best));
}

interface CsvRecord {
  readonly record: string[];
  readonly info: { readonly lines: number };
}

function parseRecords(text: string, delimiter: Delimiter): CsvRecord[] {
  try {
    // The types of csv-parse do not follow `info`.
    return parse(text, {
      delimiter,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as CsvRecord[];
  } catch (thrown) {
    if (!(thrown instanceof CsvError)) throw thrown;
    const line = typeof thrown.lines === 'number' ? `line ${thrown.lines}: ` : '';
    throw new BadInputError(`${line}${thrown.message}`, { cause: thrown });
  }
}

function checkHeader(names: readonly string[]): void {
  const seen = new Map<string, number>();
  names.forEach((name, index) => {
    if (name === '') throw new BadInputError(`line 1: column ${index + 1} has no name`);
    const earlier = seen.get(name);
    if (earlier !== undefined) {
      throw new BadInputError(`line 1: columns ${earlier + 1} and ${index + 1} are both named "${name}"`);
    }
    seen.set(name, index);
  });
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (thrown) {
    throw new BadInputError('the table is not UTF-8', { cause: thrown });
  }
}

/**
 * Reads a CSV file (RFC 4180, UTF-8, header in the first line). Throws `BadInputError` with the line that is wrong.
 * Empty lines are skipped, so in a table of one column write a missing value as a token such as `NA`.
 */
export function readTable(bytes: Uint8Array, delimiter?: Delimiter): Table {
  const text = decode(bytes);
  const used = delimiter ?? detectDelimiter(text);
  const [header, ...records] = parseRecords(text, used);
  if (header === undefined) throw new BadInputError('the table is empty: no header line');
  const names = header.record;
  checkHeader(names);
  records.forEach(({ record, info }, index) => {
    if (record.length !== names.length) {
      throw new BadInputError(
        `row ${index + 1} (line ${info.lines}) has ${record.length} fields, but the header has ${names.length}`,
      );
    }
  });
  const columns = names.map((name, column) => ({ name, cells: records.map(({ record }) => record[column] ?? '') }));
  return { delimiter: used, rows: records.length, columns };
}
