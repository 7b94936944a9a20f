/** What a container must not let a processor do. Each tells what came of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import os from 'node:os';

export interface Deeds {
  /** Files to write. */
  readonly paths?: readonly string[];
  /** `host:port` to connect to. */
  readonly targets?: readonly string[];
  /** URLs to get. */
  readonly urls?: readonly string[];
}

const codeOf = (error: unknown): string => {
  const { code, cause } = error as { code?: string; cause?: { code?: string } };
  return cause?.code ?? code ?? String(error);
};

function outcomeOf(act: () => unknown): string {
  try {
    act();
    return 'done';
  } catch (error) {
    return codeOf(error);
  }
}

/** The answer of a connection attempt: `connected`, or the code of the refusal. */
function reach(target: string): Promise<string> {
  const at = target.lastIndexOf(':');
  return new Promise((resolve) => {
    const socket = connect({ host: target.slice(0, at), port: Number(target.slice(at + 1)), timeout: 3_000 });
    const tell = (answer: string) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', tell('connected')).once('timeout', tell('ETIMEDOUT'));
    socket.once('error', (error) => resolve(codeOf(error)));
  });
}

async function get(url: string): Promise<string> {
  try {
    return await (await fetch(url)).text();
  } catch (error) {
    return codeOf(error);
  }
}

async function answers(names: readonly string[], ask: (name: string) => Promise<string>) {
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await ask(name)] as const)));
}

/** Everything that can be found out without changing anything. */
export async function probe({ paths = [], targets = [], urls = [] }: Deeds): Promise<Record<string, unknown>> {
  const status = readFileSync('/proc/self/status', 'utf8');
  const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
  const limits = readFileSync('/proc/self/limits', 'utf8');
  return {
    uid: process.getuid?.(),
    capabilities: ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map(field),
    noNewPrivileges: field('NoNewPrivs'),
    seccomp: field('Seccomp'),
    openFiles: Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]),
    interfaces: Object.keys(os.networkInterfaces()).sort(),
    writes: Object.fromEntries(paths.map((file) => [file, outcomeOf(() => writeFileSync(file, 'x'))])),
    targets: await answers(targets, reach),
    urls: await answers(urls, get),
  };
}

/** Takes memory until somebody stops it. */
export function eatMemory(): never {
  const eaten: Buffer[] = [];
  for (;;) eaten.push(Buffer.alloc(4 * 2 ** 20, eaten.length + 1));
}

/** Starts processes until it may not any more. */
export async function startProcesses(): Promise<number> {
  const started: ChildProcess[] = [];
  for (;;) {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
    // Halted before it has done much: what is counted is processes, not memory.
    if (child.pid !== undefined) child.kill('SIGSTOP');
    const ok = await new Promise<boolean>((resolve) => {
      child.once('spawn', () => resolve(true)).once('error', () => resolve(false));
    });
    if (!ok) break;
    started.push(child);
  }
  for (const child of started) child.kill('SIGKILL');
  return started.length;
}

/** Writes a file until it may not any more. */
export function fillDisk(folder: string): { readonly megabytes: number; readonly code: string; readonly size: number } {
  const { blocks, bsize } = statfsSync(folder);
  const file = `${folder}/filled`;
  const megabyte = Buffer.alloc(2 ** 20, 'x');
  for (let megabytes = 0; ; megabytes++) {
    const code = outcomeOf(() => appendFileSync(file, megabyte));
    if (code === 'done') continue;
    rmSync(file);
    return { megabytes, code, size: blocks * bsize };
  }
}
