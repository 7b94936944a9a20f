/** Folders, a real nats-server, and parents that may be killed, for the tests of this area. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { acquireNatsServer } from '../../stack/nats/acquire.ts';
import { isAlive } from '../../stack/process.ts';

let binary: Promise<string> | undefined;

/** Obtained once on this machine; later runs find it in the cache. */
export const natsBinary = (): Promise<string> => {
  binary ??= acquireNatsServer({ env: process.env }).then(({ path }) => path);
  return binary;
};

/** Runs with a fresh folder, which is gone afterwards. */
export async function withTempDir<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'isomorph-stack-'));
  try {
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

export interface Parent {
  /** Of the server that it started. */
  readonly serverPid: number;
  /** Ends the parent and returns when it is gone: by SIGKILL, or by `process.exit`. */
  kill(): Promise<void>;
  exit(): Promise<void>;
}

/** Starts a server of the stack in another process, which is its parent. */
export async function startParent(what: 'nats' | 'pglite' | 'lock', dir: string): Promise<Parent> {
  const main = fileURLToPath(new URL('./parent-main.ts', import.meta.url));
  const parent = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, what, dir], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const gone = once(parent, 'exit');
  const [line] = (await Promise.race([once(parent.stdout, 'data'), gone])) as [Buffer | number];
  return {
    serverPid: Number(line.toString()),
    kill: async () => {
      parent.kill('SIGKILL');
      await gone;
    },
    exit: async () => {
      parent.stdin.end();
      await gone;
    },
  };
}

/** Returns once the process is gone; the test's own timeout bounds it. */
export async function gone(pid: number): Promise<void> {
  while (await isAlive(pid)) await delay(10);
}
