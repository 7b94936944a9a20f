/** One stack a home folder: two writers of one JetStream or Postgres folder would destroy it. */
import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IsomorphError } from '../shared/errors/isomorph-error.ts';
import { startTimeOf } from './process.ts';

/** What a lock file holds; `null` once it was released. */
interface Holder {
  readonly pid: number;
  readonly startedAt: string;
}

export interface HomeLock {
  /** Gives the folder free. Safe to call again. A holder that dies without it is noticed by the next one. */
  release(): Promise<void>;
}

const LOCK_NAME = /^lock\.(\d+)$/;

const lockPath = (dir: string, generation: number): string => join(dir, `lock.${generation}`);

async function generations(dir: string): Promise<number[]> {
  const names = await readdir(dir);
  return names.flatMap((name) => LOCK_NAME.exec(name)?.[1] ?? []).map(Number);
}

async function liveHolder(path: string): Promise<Holder | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined;
    throw thrown;
  }
  const holder = JSON.parse(text) as Holder | null;
  if (holder === null) return undefined;
  return (await startTimeOf(holder.pid)) === holder.startedAt ? holder : undefined;
}

/** Puts a whole file in place at once; false when the name is taken. */
async function createWhole(dir: string, target: string, text: string): Promise<boolean> {
  const draft = join(dir, `.lock-draft-${randomUUID()}`);
  await writeFile(draft, text, { mode: 0o600 });
  try {
    await link(draft, target);
    return true;
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST') return false;
    throw thrown;
  } finally {
    await rm(draft, { force: true });
  }
}

/**
 * Takes the folder (made if it does not exist) for this process.
 *
 * A lock file is never taken over: each holder creates the next number and the highest number counts, so that two
 * processes that both find a dead holder cannot both win. The highest file stays after a release, for the same reason.
 *
 * @throws IsomorphError `ERR_CONFIG` when a living process holds the folder; the message names its pid.
 */
export async function lockHome(dir: string): Promise<HomeLock> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const startedAt = await startTimeOf(process.pid);
  if (startedAt === undefined) throw new IsomorphError('ERR_INTERNAL', 'this process does not find itself');
  const own: Holder = { pid: process.pid, startedAt };
  for (;;) {
    const highest = Math.max(0, ...(await generations(dir)));
    const holder = highest === 0 ? undefined : await liveHolder(lockPath(dir, highest));
    if (holder !== undefined) throw heldBy(dir, holder);
    const mine = highest + 1;
    if (!(await createWhole(dir, lockPath(dir, mine), JSON.stringify(own)))) continue;
    const all = await generations(dir);
    if (Math.max(...all) !== mine) {
      await rm(lockPath(dir, mine), { force: true });
      continue;
    }
    await Promise.all(all.filter((n) => n < mine).map((n) => rm(lockPath(dir, n), { force: true })));
    let held = true;
    return {
      release: async () => {
        if (held) await release(dir, mine);
        held = false;
      },
    };
  }
}

async function release(dir: string, generation: number): Promise<void> {
  const draft = join(dir, `.lock-draft-${randomUUID()}`);
  await writeFile(draft, 'null', { mode: 0o600 });
  await rename(draft, lockPath(dir, generation));
}

const heldBy = (dir: string, holder: Holder): IsomorphError =>
  new IsomorphError('ERR_CONFIG', `${dir} is in use by the process ${holder.pid}`, {
    pointer: 'ISOMORPH_HOME',
    expected: `a folder of its own for each stack, or the end of process ${holder.pid}`,
  });
