import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Job } from '../../processors/sdk/index.ts';
import { type Report, ReportSchema } from '../../shared/runtime/contract.ts';
import { validator } from '../../shared/schema/validate.ts';
import type { ObjectServer } from './object-server.ts';

export const ROOT = new URL('../../', import.meta.url);
export const file = (path: string): string => new URL(path, ROOT).pathname;

export type ErrorReport = Extract<Report, { isomorph: 'error' }>;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly reports: readonly Report[];
  /** The last error report. */
  readonly error: ErrorReport | undefined;
  /** Everything written: standard output, then standard error. */
  readonly everything: string;
}

export interface JobOptions {
  readonly params?: Record<string, unknown>;
  readonly inputs?: Record<string, Uint8Array | string>;
  /** Content type and largest size, by path. */
  readonly outputs?: Record<string, { readonly type: string; readonly maxBytes?: number; readonly required?: boolean }>;
  readonly attempt?: number;
  readonly processor?: string;
  /** Of the contract; in 2 every output is taken once, with its headers. */
  readonly version?: 1 | 2;
}

/** A job as a runtime would write it, whose URLs lead to `server`. */
export function jobFor(server: ObjectServer, options: JobOptions): Job {
  const inputs = Object.entries(options.inputs ?? {}).map(([name, body]) => [
    name,
    {
      path: `/artifacts/inputs/${name}`,
      cid: `blake3:${'ab'.repeat(32)}`,
      size: Buffer.byteLength(body),
      content_type: 'application/octet-stream',
      get_url: server.offer(name, body),
    },
  ]);
  const outputs = Object.entries(options.outputs ?? {}).map(([path, { type, maxBytes = 1 << 24, required = true }]) => [
    path,
    {
      path: `/artifacts/outputs/test/step/${path}`,
      content_type: type,
      required,
      max_bytes: maxBytes,
      put_url: server.accept(path, type, maxBytes),
      ...(options.version === 2 && { put_headers: { 'if-none-match': '*' } }),
    },
  ]);
  if (options.version === 2) for (const path of Object.keys(options.outputs ?? {})) server.acceptOnce(path);
  const attempt = options.attempt ?? 1;
  return {
    v: options.version ?? 1,
    plan_id: 'test',
    step_id: 'step',
    execution_id: `test.step.${attempt}`,
    attempt,
    processor: options.processor ?? 'test/test@1',
    params: options.params ?? {},
    inputs: Object.fromEntries(inputs),
    outputs: Object.fromEntries(outputs),
    deadline: '2030-01-01T00:00:00.000Z',
  };
}

const parseReport = validator(ReportSchema, 'ERR_SCHEMA');

function reportsOf(stdout: string): Report[] {
  const reports: Report[] = [];
  for (const line of stdout.split('\n').filter((text) => text.startsWith('{'))) {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed === 'object' && parsed !== null && 'isomorph' in parsed) {
      const report = parseReport(parsed);
      if (!report.ok) throw new Error(`${line}: ${JSON.stringify(report.faults)}`);
      reports.push(report.value);
    }
  }
  return reports;
}

export interface RunOptions {
  readonly secrets?: Record<string, string>;
  /** Sees the process once it runs. */
  readonly onStart?: (child: ChildProcess) => void;
}

const commandFor = (program: string): string[] =>
  program.endsWith('.py')
    ? ['python3', program]
    : [
        process.env.ISOMORPH_TEST_PROCESSOR_NODE ?? process.execPath,
        ...(process.env.ISOMORPH_TEST_PROCESSOR_NODE === undefined ? ['--import', import.meta.resolve('tsx')] : []),
        program,
      ];

/**
 * Runs a program under the processor contract: an empty private folder, a bare environment, the given text on standard
 * input, which then stays open as it does in a parked container.
 */
export async function runWithStdin(program: string, stdin: string, options: RunOptions = {}): Promise<Ended> {
  const folder = await mkdtemp(join(tmpdir(), 'isomorph-processor-'));
  try {
    const [command = '', ...args] = commandFor(program);
    const env = {
      PATH: process.env.PATH,
      HOME: folder,
      TMPDIR: folder,
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      ...options.secrets,
    };
    const child = spawn(command, args, { cwd: folder, env, stdio: ['pipe', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    if (stdin === '') child.stdin.end();
    else child.stdin.write(stdin);
    options.onStart?.(child);
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (...ending) => resolve(ending));
    });
    const reports = reportsOf(stdout);
    const error = reports.findLast((report): report is ErrorReport => report.isomorph === 'error');
    return { code, signal, reports, error, everything: stdout + stderr };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const runJob = (program: string, job: Job, options: RunOptions = {}): Promise<Ended> =>
  runWithStdin(program, `${JSON.stringify(job)}\n`, options);
