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
  /** What was taken another way than the file has it. */
  readonly notes: readonly string[];
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

interface Header {
  readonly names: readonly string[];
  readonly notes: readonly string[];
}

/** A name of its own for every column: one without a name, or with that of an earlier one, is called by its position. */
function nameColumns(header: readonly string[]): Header {
  const taken = new Set(header);
  const seen = new Map<string, number>();
  const notes: string[] = [];
  const names = header.map((name, index) => {
    const earlier = seen.get(name);
    if (name !== '' && earlier === undefined) {
      seen.set(name, index);
      return name;
    }
    let own = `column_${index + 1}`;
    while (taken.has(own)) own += '_';
    taken.add(own);
    const why = name === '' ? 'has no name' : `is named "${name}" like column ${(earlier ?? 0) + 1}`;
    notes.push(`column ${index + 1} ${why}: it is called ${own} here`);
    return own;
  });
  return { names, notes };
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
  const { names, notes } = nameColumns(header.record);
  records.forEach(({ record, info }, index) => {
    if (record.length !== names.length) {
      throw new BadInputError(
        `row ${index + 1} (line ${info.lines}) has ${record.length} fields, but the header has ${names.length}`,
      );
    }
  });
  const columns = names.map((name, column) => ({ name, cells: records.map(({ record }) => record[column] ?? '') }));
  return { delimiter: used, rows: records.length, columns, notes };
}
