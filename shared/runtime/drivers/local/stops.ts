import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { StopReason } from '../../outcome.ts';

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Reasons written down before the signal is sent, so that whoever finds the ended container knows them too. */
export class Stops {
  readonly #dir: string;

  constructor(stateDir: string) {
    this.#dir = path.join(stateDir, 'stops');
  }

  /** The first reason stays. */
  async save(executionId: string, reason: StopReason): Promise<void> {
    if ((await this.of(executionId)) !== undefined) return;
    await mkdir(this.#dir, { recursive: true });
    const file = path.join(this.#dir, executionId);
    const draft = `${file}.${randomBytes(6).toString('hex')}`;
    await writeFile(draft, reason);
    await rename(draft, file);
  }

  async of(executionId: string): Promise<StopReason | undefined> {
    const text = await readFile(path.join(this.#dir, executionId), 'utf8').catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    return text === 'timed_out' || text === 'killed' ? text : undefined;
  }

  forget(executionId: string): Promise<void> {
    return rm(path.join(this.#dir, executionId), { force: true });
  }
}
