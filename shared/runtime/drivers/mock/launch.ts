import { type ChildProcess, spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { surroundings } from '../../contract.ts';
import type { RunFolder } from './run-folder.ts';

/**
 * Writes the exit code down even when nobody waits any more. It stands in the folder of the run, which may get another name
 * meanwhile, also before the shell has come to its work: `-P`, since it would go by the path that it began at. TERM is caught
 * so that the shell outlives the processor it passes the signal on to; the processor itself gets the default disposition back.
 */
const WRAPPER = 'trap : TERM INT HUP; (cd -P work && unset OLDPWD && exec "$@"); echo $? > exit';

/**
 * Starts a command in the folder of a run, in a process group of its own, with the job as its standard input.
 * @param orders with a pipe to its file descriptor 3
 * @throws ERR_START where there is no shell
 */
export async function startIn(
  folder: RunFolder,
  command: readonly string[],
  secrets: Readonly<Record<string, string>>,
  orders: 'pipe' | 'ignore' = 'ignore',
): Promise<ChildProcess> {
  const [job, log] = await Promise.all([open(folder.job, 'r'), open(folder.log, 'a')]);
  try {
    const child = spawn('/bin/sh', ['-c', WRAPPER, 'processor', ...command], {
      cwd: folder.root,
      detached: true,
      stdio: [job.fd, log.fd, log.fd, ...(orders === 'pipe' ? [orders] : [])],
      env: {
        PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
        ...surroundings(folder.work, folder.temp),
        ...secrets,
      },
    });
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject)).catch((error) => {
      throw new IsomorphError('ERR_START', `no shell to start ${command.join(' ')}`, {}, error);
    });
    return child;
  } finally {
    await Promise.all([job.close(), log.close()]);
  }
}

/** To all of its process group; a group that is gone is none. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
