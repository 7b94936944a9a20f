/**
 * `npm run matrix`: runs the conformance suites of all drivers and prints case × driver.
 * Exit code 1 when a case failed, or came to something else than `docs/scratch.md` says. A driver whose server is missing
 * here has no column; the reason is printed.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { CaseResult } from '../test/scratch/conformance.ts';
import { kvMatrix, type Matrix, queueMatrix } from './scratch-matrix.ts';

const SUITES = fileURLToPath(new URL('../test/scratch/', import.meta.url));
const TITLE_WIDTH = 92;

/** Test files that hand a driver to a suite. */
async function suites(): Promise<string[]> {
  const files = (await readdir(SUITES)).filter((file) => file.endsWith('.test.ts'));
  const texts = await Promise.all(files.map((file) => readFile(join(SUITES, file), 'utf8')));
  return files.filter((_, index) => /^\s*(\w+Conformance|runConformance)\(/m.test(texts[index] ?? ''));
}

async function run(file: string, matrix: string): Promise<string> {
  const env = { ...process.env, ISOMORPH_MATRIX: matrix, NO_COLOR: '1' };
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', join(SUITES, file)], {
    env,
  }).catch((error: { stdout: string }) => error);
  return stdout;
}

function table(outcomes: readonly CaseResult[]): string {
  const drivers = [...new Set(outcomes.map(({ driver }) => driver))].sort();
  const titles = [...new Set(outcomes.map(({ title }) => title))].sort();
  const cell = (title: string, driver: string): string => {
    const found = outcomes.find((one) => one.title === title && one.driver === driver);
    return (found?.outcome ?? '-').padEnd(Math.max(8, driver.length + 1));
  };
  const row = (title: string): string =>
    `${title.slice(0, TITLE_WIDTH).padEnd(TITLE_WIDTH)} ${drivers.map((driver) => cell(title, driver)).join(' ')}`;
  const head = `${' '.repeat(TITLE_WIDTH)} ${drivers.map((driver) => driver.padEnd(8)).join(' ')}`;
  return [head, ...titles.map(row)].join('\n');
}

const dir = await mkdtemp(join(tmpdir(), 'isomorph-matrix-'));
const matrix = join(dir, 'outcomes.ndjson');
for (const file of await suites()) {
  for (const [line] of (await run(file, matrix)).matchAll(/^SKIPPED SUITE .*$/gm)) process.stdout.write(`${line}\n`);
}
const outcomes = (await readFile(matrix, 'utf8'))
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as CaseResult);
await rm(dir, { recursive: true, force: true });
for (const primitive of ['kv', 'queue'] as const) {
  const own = outcomes.filter((one) => one.primitive === primitive);
  process.stdout.write(`\n${primitive}\n${table(own)}\n`);
}

/** Cases that came to something else than the docs say. */
function surprises(matrix: Matrix, own: readonly CaseResult[]): string[] {
  return matrix.rows.flatMap(({ title, verdicts }) =>
    verdicts.flatMap((verdict, index) => {
      const driver = matrix.drivers[index];
      const found = own.find((one) => one.title === title && one.driver === driver);
      const isAsSaid = found === undefined || found.outcome === verdict;
      return isAsSaid ? [] : [`${driver}: ${title}: ${found.outcome}, and the docs say ${verdict}`];
    }),
  );
}

const found = { kv: await kvMatrix(), queue: await queueMatrix() };
const wrong = (['kv', 'queue'] as const).flatMap((primitive) =>
  surprises(
    found[primitive],
    outcomes.filter((one) => one.primitive === primitive),
  ),
);
for (const line of wrong) process.stdout.write(`${line}\n`);
process.exitCode = wrong.length > 0 || outcomes.some(({ outcome }) => outcome === 'fail') ? 1 : 0;
