import { readdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pLimit from 'p-limit';
import { plural } from '../shared/text/plural.ts';
import { fastSuites } from './fast.ts';
import { buildSuites } from './harness/build-suites.ts';
import { readCosts, writeCosts } from './harness/costs.ts';
import { runSuite, type SuiteResult } from './harness/run-suite.ts';
import { KERNEL_REFUSES } from './harness/servers/docker-proof.ts';
import { scaledMs } from './harness/slowness.ts';
import type { Summary } from './harness/summary.ts';

/**
 * `npm test [-- <part of a file name>…]`: every `*.test.ts`, each in a process of its own. `--all` installs the servers
 * that are missing (Debian, as root) and forbids skips, but for containers where the kernel itself refuses them: nothing
 * can be installed against that. `--fast` leaves out what takes long or needs more than Node and nats-server, `--root`
 * takes the suites of another folder. The last line counts the tests of all suites.
 */

const HERE = path.dirname(fileURLToPath(import.meta.url));

/**
 * Suites of many processes, kills and deadlines of their own, much of which is waiting: one after the other beside the
 * others, since two at once would starve each other of the machine.
 */
const IN_TURN =
  /^crash\/|^canary\/|^soak\/soak|^images\/|runtime\/local|-processes\.test|scratch\/modal-(model|faults)|fsck|s3-crash/;

/** No suite may hold up the run. */
const SUITE_TIMEOUT_MS = scaledMs(20 * 60_000);
/** A process that does not end after its tests is ended. */
const LINGER_MS = scaledMs(10_000);

interface Chosen {
  readonly root: string;
  readonly filters: readonly string[];
  readonly fast: boolean;
}

async function listSuites({ root, filters, fast }: Chosen): Promise<string[]> {
  const entries = await readdir(root, { recursive: true });
  const all = entries.map(String).filter((file) => file.endsWith('.test.ts'));
  const suites = fast ? [...(await fastSuites(root, await readCosts()))].filter((file) => !IN_TURN.test(file)) : all;
  return suites.filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter))).sort();
}

function report(result: SuiteResult): void {
  const { file, passed, failed, skipped, seconds, cpuS, reason, left } = result;
  const mark = failed > 0 ? 'FAIL' : passed === 0 ? 'skip' : 'ok  ';
  const counts = [`${passed} passed`, failed > 0 ? `${failed} failed` : '', skipped > 0 ? `${skipped} skipped` : ''];
  const leftOvers = left.length === 0 ? '' : `ended what it left: ${left.join(', ')}`;
  const detail = [counts.filter(Boolean).join(', '), reason ?? '', leftOvers].filter(Boolean).join(' — ');
  const times = `${seconds.toFixed(1).padStart(6)} s ${(cpuS?.toFixed(1) ?? '?').padStart(6)} s CPU`;
  process.stdout.write(`${mark} ${file.padEnd(44)} ${times}  ${detail}\n`);
  if (failed > 0) process.stdout.write(`${result.output.replace(/^/gm, '     ')}\n`);
}

/** Aborted by Ctrl-C, SIGTERM and SIGHUP: what runs is ended, what waits is not begun. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!controller.signal.aborted) process.stdout.write(`\n${signal}: ending what runs\n`);
      controller.abort();
    });
  }
  return controller.signal;
}

async function runAll(root: string, files: readonly string[], interrupted: AbortSignal): Promise<SuiteResult[]> {
  const atOnce = Math.max(1, os.availableParallelism());
  const minutes = SUITE_TIMEOUT_MS / 60_000;
  process.stdout.write(
    `${plural(files.length, 'suite')}, ${atOnce} at once; each may take ${plural(minutes, 'minute')}\n`,
  );
  const suites = await buildSuites(root, files);
  const limit = pLimit(atOnce);
  const results: SuiteResult[] = [];
  let begun = 0;
  const run = async (file: string): Promise<void> => {
    if (interrupted.aborted) return;
    process.stdout.write(`     ${file} is running (${++begun} of ${files.length})\n`);
    const limits = { timeoutMs: SUITE_TIMEOUT_MS, lingerMs: LINGER_MS, interrupted };
    const result = await runSuite(file, suites.programOf(file), limits);
    report(result);
    results.push(result);
  };
  try {
    const turns = pLimit(1);
    await Promise.all(files.map((file) => (IN_TURN.test(file) ? turns : limit)(() => run(file))));
    return results;
  } finally {
    await suites.remove();
  }
}

async function main(): Promise<number> {
  const options = { all: { type: 'boolean' }, fast: { type: 'boolean' }, root: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const forbidSkips = values.all === true;
  if (forbidSkips) {
    const { provision, SERVER_NAMES } = await import('./harness/servers/index.ts');
    await provision([...SERVER_NAMES]);
  }
  const root = path.resolve(values.root ?? HERE);
  const interrupted = interruption();
  const files = await listSuites({ root, filters: positionals, fast: values.fast === true });
  const results = await runAll(root, files, interrupted);
  if (forbidSkips) await writeCosts(results);

  const sum = (of: (result: Summary) => number): number => results.reduce((total, one) => total + of(one), 0);
  const [passed, failed, skipped] = [sum((one) => one.passed), sum((one) => one.failed), sum((one) => one.skipped)];
  const failures = results.filter((one) => one.failed > 0).map((one) => one.file);
  if (failures.length > 0) process.stdout.write(`\nfailed: ${failures.join(', ')}\n`);
  const avoidable = results.filter((one) => one.skipped > 0 && one.reason?.startsWith(KERNEL_REFUSES) !== true);
  const forbidden = forbidSkips && avoidable.length > 0;
  if (forbidden) process.stdout.write('\nskips are forbidden here\n');
  if (interrupted.aborted)
    process.stdout.write(`\ninterrupted: ${plural(files.length - results.length, 'suite')} not begun\n`);
  process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  if (interrupted.aborted) return 130;
  return failed > 0 || passed === 0 || forbidden ? 1 : 0;
}

process.exitCode = await main();
