/** What each suite took in the last run of all: the pass on another Node leaves out what is not fast. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SuiteResult } from './run-suite.ts';

const FILE = fileURLToPath(new URL('../../.cache/suite-cpu.json', import.meta.url));

/** CPU seconds by suite. */
export type Costs = ReadonlyMap<string, number>;

/** None where all suites have not yet been run. */
export async function readCosts(): Promise<Costs> {
  try {
    return new Map(JSON.parse(await readFile(FILE, 'utf8')) as [string, number][]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw error;
  }
}

export async function writeCosts(results: readonly SuiteResult[]): Promise<void> {
  const costs = results.flatMap(({ file, cpuS }) => (cpuS === undefined ? [] : [[file, cpuS]]));
  await mkdir(path.dirname(FILE), { recursive: true });
  await writeFile(FILE, JSON.stringify(costs));
}
