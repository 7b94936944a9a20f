import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { hashEvent } from '../../shared/ledger/envelope.ts';
import type { LedgerEvent } from '../../shared/ledger/events.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { available } from '../harness/servers/index.ts';
import { startTestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { completeHistories } from './arbitrary.ts';

const test = suite('audit with jq and b3sum');

for (const program of ['jq', 'b3sum'] as const) {
  const found = await available(program);
  test.skipUnless(found.ok, found.ok ? '' : found.reason);
}

const fileOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const SCRIPT = fileOf('examples/audit/verify.sh');

interface Ended {
  readonly code: number;
  readonly lines: readonly string[];
}

async function run(command: string, args: readonly string[], stdin: string | Uint8Array, env = {}): Promise<Ended> {
  const child = spawn(command, args, { env: { PATH: process.env.PATH, ...env }, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('close', (code) => resolve(code ?? -1)).once('error', reject);
  });
  // What refuses its command line ends without reading: the pipe is then gone before this has closed it.
  child.stdin.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') {
      child.emit('error', error);
    }
  });
  child.stdin.end(stdin);
  const stdout = await buffer(child.stdout);
  return { code: await ended, lines: stdout.toString().split('\n').slice(0, -1) };
}

const verify = (exported: string | Uint8Array, ...options: string[]): Promise<Ended> => run(SCRIPT, options, exported);

const exportOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

const golden = await readFile(fileOf('test/ledger/golden/v1/golden-retried.ndjson'), 'utf8');
const LINES = golden.trimEnd().split('\n');
const lineOf = (number: number): string => LINES[number - 1] ?? '';
const HEAD = (JSON.parse(LINES.at(-1) ?? '') as LedgerEvent).this_hash;

/** The script's word on a tampered export: the faults, each by the line it names. */
async function faultsOf(lines: readonly string[], ...options: string[]): Promise<string[]> {
  const { code, lines: faults } = await verify(exportOf(lines), ...options);
  assert.is(code, 1, faults.join('\n'));
  return faults.map((fault) => /^line \d+/.exec(fault)?.[0] ?? fault);
}

test('a plan that ran, as the command line exports it, verifies', async () => {
  const its = await startTestStack({ services: ['admission', 'dispatcher', 'settler'] });
  try {
    const retry = { max_attempts: 2, backoff_s: 0.01 };
    await its.submit(probePlan('audited', { params: { fail_attempts: 1, value: 7 }, retry }, { title: 'Größe 🐧' }));
    const { head } = await its.ended('audited');
    const env = { NATS_URL: its.stack.info.nats.serviceUrl };
    const args = [fileOf('bin/isomorph.mjs'), 'ledger', 'export', 'audited'];
    const exported = await run(process.execPath, args, '', env);
    assert.is(exported.code, 0);
    const verdict = await verify(exportOf(exported.lines), '--head', head.hash ?? '');
    assert.equal(verdict, { code: 0, lines: [`ok: ${head.seq} events of audited, head ${head.hash}`] });
  } finally {
    await its.stop();
  }
});

test('a golden ledger verifies from a file and from standard input', async () => {
  const ok = { code: 0, lines: [`ok: ${LINES.length} events of golden-retried, head ${HEAD}`] };
  assert.equal(await verify(golden), ok);
  assert.equal(await verify(golden.trimEnd(), '--head', HEAD), ok);
  assert.equal(await run(SCRIPT, [fileOf('test/ledger/golden/v1/golden-retried.ndjson')], ''), ok);
});

test('whatever history verifies here, verifies there', async () => {
  const chains = fc.sample(completeHistories(40), { numRuns: 30, seed: 7 });
  const plans = chains.map(({ events }, index) => {
    let prev: string | null = null;
    return events.map((event) => {
      const open = { ...event, plan_id: `plan-${index}`, prev_hash: prev } as LedgerEvent;
      prev = hashEvent(open);
      return canonicalText({ ...open, this_hash: prev });
    });
  });
  const { code, lines } = await verify(exportOf(plans.flat()));
  assert.is(code, 0, lines.join('\n'));
  assert.is(lines.length, chains.length);
});

test('a changed byte is found at its line', async () => {
  const changes: [from: string, to: string][] = [
    ['"duration_ms":880', '"duration_ms":881'],
    ['Größe', 'Grösse'],
    ['0.125', '0.126'],
    ['\u007f', '\\u007f'],
    ['"retryable":true', '"retryable": true'],
    ['"cpu":0.25', '"cpu":9.25,"cpu":0.25'],
    ['"v":1', '"v":1.0'],
    ['train.1', 'train.1\u0000'],
    ['}', '}\r'],
  ];
  const failed = LINES.findIndex((line) => line.includes('execution.failed'));
  for (const [from, to] of changes) {
    const original = LINES[failed] ?? '';
    assert.ok(original.includes(from), from);
    const at = from === '}' ? original.length - 1 : original.indexOf(from);
    const changed = original.slice(0, at) + to + original.slice(at + from.length);
    assert.is((await faultsOf(LINES.with(failed, changed)))[0], `line ${failed + 1}`, to);
  }
});

test('any byte changed to another is found', async () => {
  const bytes = Buffer.from(golden);
  for (const at of [0, 5, 700, 1_501, 4_444, 9_999, bytes.byteLength - 3]) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 0x01;
    const line = bytes.subarray(0, at).filter((byte) => byte === 0x0a).byteLength + 1;
    const { code, lines } = await verify(changed);
    assert.is(code, 1, `byte ${at}`);
    assert.ok(lines[0]?.startsWith(`line ${line}`), `byte ${at}: ${lines[0]}`);
  }
});

test('dropped, swapped, duplicated and spliced events are found at their places', async () => {
  assert.equal((await faultsOf(LINES.toSpliced(9, 1)))[0], 'line 10');
  assert.equal((await faultsOf(LINES.with(4, lineOf(6)).with(5, lineOf(5))))[0], 'line 5');
  assert.equal((await faultsOf(LINES.toSpliced(7, 0, lineOf(7))))[0], 'line 8');
  assert.equal((await faultsOf(LINES.toSpliced(20, 0, lineOf(3))))[0], 'line 21');
  const other = (await readFile(fileOf('test/ledger/golden/v1/golden-failed.ndjson'), 'utf8')).split('\n');
  assert.equal((await faultsOf(LINES.toSpliced(3, 0, other[3] ?? '')))[0], 'line 4');
});

test('a forged event that was hashed again breaks the link behind it', async () => {
  const event = JSON.parse(lineOf(3)) as LedgerEvent & { data: { budget_limit_usd_micro: number } };
  const richer = { ...event, data: { ...event.data, budget_limit_usd_micro: 9_000_000 } } as LedgerEvent;
  const forged = canonicalText({ ...richer, this_hash: hashEvent(richer) });
  assert.equal(await faultsOf(LINES.with(2, forged)), ['line 4']);
});

test('a forged last event, and a cut-off end, are told by the head and by how it ends', async () => {
  const last = JSON.parse(LINES.at(-1) ?? '') as LedgerEvent;
  const later = { ...last, ts: '2027-01-01T00:00:00.000Z' };
  const forged = LINES.with(-1, canonicalText({ ...later, this_hash: hashEvent(later) }));
  assert.is((await verify(exportOf(forged))).code, 0);
  assert.match((await faultsOf(forged, '--head', HEAD))[0] ?? '', /its last event has/);
  assert.match((await faultsOf(LINES.slice(0, -1)))[0] ?? '', /stops at seq 39/);
  assert.is((await verify(exportOf(LINES.slice(0, -1)), '--open')).code, 0);
});

test('a field of the same name inside the data does not mislead it', async () => {
  const failed = LINES.findIndex((line) => line.includes('execution.failed'));
  const event = JSON.parse(LINES[failed] ?? '');
  const versions = { this_hash: `blake3:${'0'.repeat(64)}`, ts: 'x', v: '1' };
  const odd = { ...event, data: { ...event.data, environment: { ...event.data.environment, versions } } };
  const line = canonicalText({ ...odd, this_hash: hashEvent(odd) });
  assert.equal(await faultsOf(LINES.with(failed, line)), [`line ${failed + 2}`]);
});

test('what is no event, nothing at all, and a wrong command line are told apart', async () => {
  assert.equal(await faultsOf(LINES.toSpliced(2, 0, '', 'null', '{"a":1}', 'no json')), [
    'line 3',
    'line 4',
    'line 5',
    'line 6',
  ]);
  assert.equal(await verify(''), { code: 1, lines: ['the input is empty'] });
  assert.is((await run(SCRIPT, ['--colour'], '')).code, 2);
  assert.is((await run(SCRIPT, ['/nonexistent/ledger.ndjson'], '')).code, 2);
});

test.run();
