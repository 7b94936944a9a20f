import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Instrumenter } from '@stryker-mutator/instrumenter';

/** One small change of one place of the code, made by Stryker's mutators. */
export interface Mutant {
  readonly id: string;
  /** Path from the root of the project. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly mutator: string;
  readonly original: string;
  readonly replacement: string;
}

export interface Instrumented {
  readonly mutants: readonly Mutant[];
  /** By path from the root: the source with every mutant in it, each behind a switch. */
  readonly sources: ReadonlyMap<string, string>;
}

const silent = (): void => undefined;
const never = (): boolean => false;
const NO_LOG = {
  isTraceEnabled: never,
  isDebugEnabled: never,
  isInfoEnabled: never,
  isWarnEnabled: never,
  isErrorEnabled: never,
  isFatalEnabled: never,
  trace: silent,
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
  fatal: silent,
};

interface Position {
  readonly line: number;
  readonly column: number;
}

/** The text between two places; lines and columns count from 0. */
function textBetween(source: string, start: Position, end: Position): string {
  const lines = source.split('\n').slice(start.line, end.line + 1);
  lines[lines.length - 1] = lines.at(-1)?.slice(0, end.column) ?? '';
  lines[0] = lines[0]?.slice(start.column) ?? '';
  return lines.join('\n');
}

/** Every mutant of these files. The ids follow the order of files and places, so that equal sources give equal ids. */
export async function instrument(root: string, files: readonly string[]): Promise<Instrumented> {
  const texts = new Map<string, string>();
  for (const file of files) texts.set(file, await readFile(path.join(root, file), 'utf8'));
  const { files: sources, mutants } = await new Instrumenter(NO_LOG).instrument(
    [...texts].map(([name, content]) => ({ name, content, mutate: true })),
    { plugins: null, excludedMutations: [], ignorers: [] },
  );
  return {
    sources: new Map(sources.map(({ name, content }) => [name, content])),
    mutants: mutants.map(({ id, fileName, location: { start, end }, mutatorName, replacement }) => ({
      id,
      file: fileName,
      line: start.line + 1,
      column: start.column + 1,
      mutator: mutatorName,
      original: textBetween(texts.get(fileName) ?? '', start, end),
      replacement: replacement ?? '',
    })),
  };
}
