import { execFile } from 'node:child_process';
import { mkdtemp, rmdir, statfs, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A disk of memory whose size can be changed while it is used: what root may do on Linux. */
export class Disk {
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /** Where the folder of the server in `home` leads. */
  static async behind(home: string): Promise<Disk> {
    const dir = await mkdtemp(path.join(os.tmpdir(), 'isomorph-disk-'));
    await run('mount', ['-t', 'tmpfs', '-o', 'size=16g', 'isomorph-test', dir]);
    await symlink(dir, path.join(home, 'nats'));
    return new Disk(dir);
  }

  /** Not a byte is left. */
  async fill(): Promise<void> {
    await this.leave(0);
  }

  /** So much is left beside what is there. */
  async leave(freeBytes: number): Promise<void> {
    const { blocks, bfree, bsize } = await statfs(this.#dir);
    await run('mount', ['-o', `remount,size=${(blocks - bfree) * bsize + freeBytes}`, this.#dir]);
  }

  async free(): Promise<void> {
    await run('mount', ['-o', 'remount,size=16g', this.#dir]);
  }

  async unmount(): Promise<void> {
    await run('umount', [this.#dir]);
    await rmdir(this.#dir);
  }
}

export const mayMount = process.platform === 'linux' && process.getuid?.() === 0;
