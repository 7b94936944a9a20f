/**
 * The processes that a suite started, and theirs: found by parent, by session (whose parent ended before them), and by a
 * mark in their environment (who also left the session). What gave up all three is not found.
 */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The variable that marks the processes of one suite. */
export const MARK = 'ISOMORPH_TEST_SUITE';

const LOOK_AGAIN_MS = 50;

export interface FamilyMember {
  readonly pid: number;
  readonly command: string;
  readonly parent: number;
  readonly session: number;
  /** With the pid it names a process for good, since pids are used again. */
  readonly startedAt: string;
}

async function readProcess(pid: string): Promise<FamilyMember | undefined> {
  // It may end between the listing and the reading.
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return undefined;
  // The second field is the program's name in brackets and may hold anything: fields count from its last bracket.
  const [state, parent, , session, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (state === 'Z' || state === 'X') return undefined;
  const command = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  return { pid: Number(pid), command, parent: Number(parent), session: Number(session), startedAt: rest[15] ?? '' };
}

async function everyProcess(): Promise<FamilyMember[]> {
  if (process.platform === 'linux') {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    return (await Promise.all(pids.map(readProcess))).filter((one) => one !== undefined);
  }
  const { stdout } = await run('ps', ['-axo', 'pid=,ppid=,sess=,stat=,lstart=,comm=']);
  return stdout.split('\n').flatMap((line) => {
    const [, pid, parent, session, state, startedAt = '', command = ''] =
      /^\s*(\d+)\s+(\d+)\s+(\w+)\s+(\S+)\s+(.{24})\s+(.*)$/.exec(line) ?? [];
    if (pid === undefined || state?.startsWith('Z')) return [];
    return [{ pid: Number(pid), parent: Number(parent), session: Number(session), startedAt, command }];
  });
}

/** Only Linux lets one read the environment of others; elsewhere parent and session must do. */
async function isMarked(pid: number, mark: string): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
  return environment.split('\0').includes(`${MARK}=${mark}`);
}

/**
 * Who belongs to the process `root`, itself included.
 * @param mark value of MARK that it and its children were started with
 */
export async function familyOf(root: number, mark: string | undefined): Promise<FamilyMember[]> {
  const everybody = (await everyProcess()).filter(({ pid }) => pid > 1);
  const members = new Set<FamilyMember>();
  for (const one of everybody) {
    const marked = mark !== undefined && (await isMarked(one.pid, mark));
    // A root that leads no session shares it with strangers.
    if (marked || one.pid === root || one.session === root) members.add(one);
  }
  for (let before = -1; before !== members.size; ) {
    before = members.size;
    const pids = new Set([...members].map(({ pid }) => pid));
    for (const one of everybody) if (pids.has(one.parent)) members.add(one);
  }
  return [...members];
}

function signal({ pid }: FamilyMember, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
  }
}

/**
 * Ends the family of `root`: SIGTERM, `graceMs`, SIGKILL, until nobody is left. This process itself is spared.
 * @returns who was there
 */
export async function endFamily(
  root: number,
  options: { readonly mark: string | undefined; readonly graceMs: number },
): Promise<FamilyMember[]> {
  const killAt = performance.now() + options.graceMs;
  const seen = new Map<string, FamilyMember>();
  for (;;) {
    const found = (await familyOf(root, options.mark)).filter(({ pid }) => pid !== process.pid);
    const keyOf = ({ pid, startedAt }: FamilyMember): string => `${pid} ${startedAt}`;
    const news = found.filter((one) => !seen.has(keyOf(one)));
    for (const one of news) seen.set(keyOf(one), one);
    // Who was seen before may have lost its parent meanwhile, and with it all that tells whose it is.
    const alive = new Set((await everyProcess()).map(keyOf));
    const left = [...seen.entries()].filter(([key]) => alive.has(key)).map(([, one]) => one);
    if (left.length === 0) return [...seen.values()];
    const expired = performance.now() >= killAt;
    for (const one of expired ? left : news) signal(one, expired ? 'SIGKILL' : 'SIGTERM');
    await delay(LOOK_AGAIN_MS);
  }
}
