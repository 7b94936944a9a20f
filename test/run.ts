import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pLimit from 'p-limit';
import { KERNEL_REFUSES } from './harness/servers/docker-proof.ts';
import { readSummary, type Summary } from './harness/summary.ts';

/**
 * `npm test [-- <part of a file name>…]`: every `*.test.ts`, each in a process of its own. `--all` installs the servers
 * that are missing (Debian, as root) and forbids skips, but for containers where the kernel itself refuses them: nothing
 * can be installed against that. The last line counts the tests of all suites.
 */

const ROOT = path.dirname(fileURLToPath(import.meta.url));

/** Suites of many processes, kills and deadlines of their own: two at once would starve each other of the machine. */
const ALONE =
  /^crash\/|^canary\/|^images\/|runtime\/local|-processes\.test|scratch\/modal-(model|faults)|fsck|s3-crash/;

/** No suite may hold up the run. */
const SUITE_TIMEOUT_MS = 20 * 60_000;

interface SuiteResult extends Summary {
  readonly file: string;
  readonly seconds: number;
  readonly output: string;
}

async function listSuites(filters: readonly string[]): Promise<string[]> {
  const entries = await readdir(ROOT, { recursive: true });
  const suites = entries.map(String).filter((file) => file.endsWith('.test.ts'));
  return suites.filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter))).sort();
}

function runSuite(file: string): Promise<SuiteResult> {
  const startMs = Date.now();
  const child = spawn(process.execPath, ['--import', 'tsx', path.join(ROOT, file)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1' },
  });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const timer = setTimeout(() => child.kill('SIGKILL'), SUITE_TIMEOUT_MS);
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      const output = Buffer.concat(chunks).toString('utf8');
      const seconds = (Date.now() - startMs) / 1000;
      resolve({ file, seconds, output, ...readSummary(output, signal === null ? code : null) });
    });
  });
}

function report(result: SuiteResult): void {
  const { file, passed, failed, skipped, seconds, reason } = result;
  const mark = failed > 0 ? 'FAIL' : passed === 0 ? 'skip' : 'ok  ';
  const counts = [`${passed} passed`, failed > 0 ? `${failed} failed` : '', skipped > 0 ? `${skipped} skipped` : ''];
  const detail = [counts.filter(Boolean).join(', '), reason ?? ''].filter(Boolean).join(' — ');
  process.stdout.write(`${mark} ${file.padEnd(44)} ${seconds.toFixed(1).padStart(6)} s  ${detail}\n`);
  if (failed > 0) process.stdout.write(`${result.output.replace(/^/gm, '     ')}\n`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: { all: { type: 'boolean' } }, allowPositionals: true });
  const forbidSkips = values.all === true;
  if (forbidSkips) {
    const { provision, SERVER_NAMES } = await import('./harness/servers/index.ts');
    await provision([...SERVER_NAMES]);
  }
  const files = await listSuites(positionals);
  const limit = pLimit(Math.max(1, os.availableParallelism()));
  const results: SuiteResult[] = [];
  const run = async (file: string): Promise<void> => {
    const result = await runSuite(file);
    report(result);
    results.push(result);
  };
  await Promise.all(files.filter((file) => !ALONE.test(file)).map((file) => limit(() => run(file))));
  for (const file of files.filter((one) => ALONE.test(one))) await run(file);

  const sum = (of: (result: Summary) => number): number => results.reduce((total, one) => total + of(one), 0);
  const [passed, failed, skipped] = [sum((one) => one.passed), sum((one) => one.failed), sum((one) => one.skipped)];
  const failures = results.filter((one) => one.failed > 0).map((one) => one.file);
  if (failures.length > 0) process.stdout.write(`\nfailed: ${failures.join(', ')}\n`);
  const avoidable = results.filter((one) => one.skipped > 0 && one.reason?.startsWith(KERNEL_REFUSES) !== true);
  const forbidden = forbidSkips && avoidable.length > 0;
  if (forbidden) process.stdout.write('\nskips are forbidden here\n');
  process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  return failed > 0 || passed === 0 || forbidden ? 1 : 0;
}

process.exitCode = await main();
