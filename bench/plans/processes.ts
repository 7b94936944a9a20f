/** The CPU that processes have used, from /proc: only Linux tells. */
import { readdir, readFile } from 'node:fs/promises';

/** The kernel's unit in /proc, on every platform that Node runs on. */
const TICK_MS = 10;

interface Entry {
  readonly parent: number;
  readonly command: string;
  /** Of the process itself. */
  readonly ownMs: number;
  /** Of its children that have ended, and theirs. */
  readonly reapedMs: number;
}

const entryOf = async (pid: number): Promise<readonly [number, Entry] | undefined> => {
  const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
  const [stat, command] = await Promise.all([read('stat'), read('cmdline')]);
  // Behind the name, which may hold anything: proc(5) counts from the state, its field 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 15) return undefined;
  const sum = (...at: readonly number[]): number => at.reduce((ms, index) => ms + Number(fields[index]) * TICK_MS, 0);
  return [
    pid,
    {
      parent: Number(fields[1]),
      command: command.replaceAll('\0', ' ').trim(),
      ownMs: sum(11, 12),
      reapedMs: sum(13, 14),
    },
  ];
};

export class Processes {
  readonly #entries: ReadonlyMap<number, Entry>;

  private constructor(entries: ReadonlyMap<number, Entry>) {
    this.#entries = entries;
  }

  /** All there are now. */
  static async look(): Promise<Processes> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    const entries = await Promise.all(pids.map(entryOf));
    return new Processes(new Map(entries.filter((entry) => entry !== undefined)));
  }

  ownMs(pid: number): number {
    return this.#entries.get(pid)?.ownMs ?? 0;
  }

  reapedMs(pid: number): number {
    return this.#entries.get(pid)?.reapedMs ?? 0;
  }

  children(pid: number): number[] {
    return [...this.#entries].filter(([, { parent }]) => parent === pid).map(([child]) => child);
  }

  command(pid: number): string {
    return this.#entries.get(pid)?.command ?? '';
  }

  /** Of a process and all that it started, ended or not. */
  treeMs(pid: number): number {
    const below = this.children(pid).reduce((ms, child) => ms + this.treeMs(child), 0);
    return this.ownMs(pid) + this.reapedMs(pid) + below;
  }
}
