/** Visible objects of the `file` driver: linked into place once. */
import { link, lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import type { Cid } from '../../../hash/cid.ts';
import { keyOf } from '../../../ids/world-path.ts';
import type { PutResult } from '../../artifact-store.ts';
import { meetExisting } from '../../checks.ts';
import type { ContentDigest } from '../../content.ts';
import { type Folders, hasErrno, isMissing, sync } from './durable.ts';
import type { Sidecar, Sidecars } from './sidecars.ts';

const cannotNest = (path: string): IsomorphError =>
  new IsomorphError('ERR_UNIMPLEMENTED', `${path}: a path above or below it is an artifact`, {
    pointer: path,
    expected: 'the file driver cannot hold an artifact that is also a folder',
  });

const created = ({ cid, sha256, size }: ContentDigest): PutResult => ({ cid, sha256, size, created: true });

export class Objects {
  readonly #root: string;
  readonly #folders: Folders;
  readonly #sidecars: Sidecars;

  constructor(root: string, folders: Folders, sidecars: Sidecars) {
    this.#root = root;
    this.#folders = folders;
    this.#sidecars = sidecars;
  }

  fileOf(path: string): string {
    return join(this.#root, keyOf(path));
  }

  /** Links a finished, synced file to its final name, or finds out who was there. */
  async publish(path: string, finished: string, sidecar: Sidecar): Promise<PutResult> {
    const object = this.fileOf(path);
    const existing = await this.#sidecars.resolve(path);
    if (existing !== undefined) {
      // It may be the work of a writer that has not come to its sync, and we are about to vouch for it.
      await sync(dirname(object));
      return meetExisting(path, existing, sidecar.cid);
    }
    try {
      await this.#folders.ensure(dirname(object));
    } catch (error) {
      if (hasErrno(error, 'EEXIST', 'ENOTDIR')) throw cannotNest(path);
      throw error;
    }
    const contested = await this.#sidecars.write(path, sidecar);
    try {
      await link(finished, object);
    } catch (error) {
      if (hasErrno(error, 'EEXIST')) return this.#lose(path, sidecar);
      throw error;
    }
    await sync(dirname(object));
    if (contested) await this.#sidecars.settle(path, sidecar);
    return created(sidecar);
  }

  /** @throws ERR_IMMUTABLE for other bytes there; ERR_UNIMPLEMENTED when the path is a folder, or below an artifact */
  async checkFree(path: string, cid: Cid): Promise<void> {
    const existing = await this.#sidecars.resolve(path);
    if (existing !== undefined) {
      meetExisting(path, existing, cid);
      return;
    }
    try {
      if ((await lstat(this.fileOf(path))).isDirectory()) throw cannotNest(path);
    } catch (error) {
      if (hasErrno(error, 'ENOTDIR')) throw cannotNest(path);
      if (!isMissing(error)) throw error;
    }
  }

  async #lose(path: string, sidecar: Sidecar): Promise<PutResult> {
    const winner = await this.#sidecars.resolve(path);
    if (winner === undefined) throw cannotNest(path);
    await sync(dirname(this.fileOf(path)));
    if (winner.cid !== sidecar.cid) await this.#sidecars.settle(path, winner);
    return meetExisting(path, winner, sidecar.cid);
  }
}
