/** One suite in a process of its own, which leads a session: it and all that it started end together. */
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { readCpuTime } from './cpu-time.ts';
import { endFamily, MARK } from './family.ts';
import { readSummary, type Summary } from './summary.ts';

/** uvu has printed its counts: what keeps the process up was left open by a test. */
const COUNTED = /^\s*Duration:\s/m;
const GRACE_MS = 3_000;

export interface SuiteResult extends Summary {
  readonly file: string;
  readonly seconds: number;
  /** Of the suite and of the processes that it waited for; undefined when it was killed. */
  readonly cpuS: number | undefined;
  readonly output: string;
  /** Programs that were still running when the suite had ended, and were ended. */
  readonly left: readonly string[];
}

export interface SuiteLimits {
  readonly timeoutMs: number;
  /** From the end of its tests to the end of its process. */
  readonly lingerMs: number;
  /** The run was interrupted: the suite ends. */
  readonly interrupted: AbortSignal;
}

let count = 0;

/**
 * @param file for messages
 * @param program what runs it: arguments of Node
 */
export function runSuite(file: string, program: readonly string[], limits: SuiteLimits): Promise<SuiteResult> {
  const startMs = performance.now();
  const mark = `${process.pid}.${count++}`;
  const child = spawn(process.execPath, [...program], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1', [MARK]: mark },
  });
  let ended: string | undefined;
  const end = (reason: string): void => {
    ended ??= reason;
    if (child.pid !== undefined) void endFamily(child.pid, { mark, graceMs: GRACE_MS });
  };
  const interrupt = (): void => end('interrupted');
  limits.interrupted.addEventListener('abort', interrupt, { once: true });
  const timers = [setTimeout(() => end(`it took longer than ${limits.timeoutMs / 1000} s`), limits.timeoutMs)];
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (timers.length > 1 || !COUNTED.test(text)) return;
      timers.push(setTimeout(() => end('its process did not end after its tests'), limits.lingerMs));
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    const closed = new Promise((done) => child.once('close', done));
    // Its pipes may be held open by what it left: `exit` comes first, and then those are ended.
    child.once('exit', async (code, signal) => {
      for (const timer of timers) clearTimeout(timer);
      limits.interrupted.removeEventListener('abort', interrupt);
      const left = child.pid === undefined ? [] : await endFamily(child.pid, { mark, graceMs: GRACE_MS });
      await Promise.race([closed, delay(GRACE_MS)]);
      for (const stream of [child.stdout, child.stderr]) stream.destroy();
      const seconds = (performance.now() - startMs) / 1000;
      const summary = readSummary(output, signal === null && ended === undefined ? code : null);
      const reason = ended ?? summary.reason;
      resolve({
        file,
        seconds,
        cpuS: readCpuTime(output),
        output,
        ...summary,
        reason,
        left: left.map(({ command }) => command),
      });
    });
  });
}
