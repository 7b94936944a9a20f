import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';

const run = promisify(execFile);

/** A folder that becomes a layer of an image. Modes are set one by one, so that the caller's umask is nowhere in it. */
export class Stage {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Where a path of the image lies on this machine while it is staged. */
  at(target: string): string {
    return path.join(this.#root, target);
  }

  async folder(target: string, mode = 0o755): Promise<void> {
    const parts = target.split('/').filter((part) => part !== '');
    let place = this.#root;
    await mkdir(place, { recursive: true });
    for (const part of ['', ...parts]) {
      place = path.join(place, part);
      await mkdir(place, { recursive: true });
      await chmod(place, 0o755);
    }
    await chmod(place, mode);
  }

  async text(target: string, content: string | Uint8Array): Promise<void> {
    await this.folder(path.dirname(target));
    await writeFile(this.at(target), content);
    await chmod(this.at(target), 0o644);
  }

  async link(target: string, to: string): Promise<void> {
    await this.folder(path.dirname(target));
    await symlink(to, this.at(target));
  }

  /** Copies a file, whatever links lead to it; who may execute it here may do so in the image. */
  async copy(source: string, target: string): Promise<void> {
    await this.folder(path.dirname(target));
    const { mode } = await stat(source);
    await copyFile(source, this.at(target));
    await chmod(this.at(target), (mode & 0o111) === 0 ? 0o644 : 0o755);
  }
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Sorted, dated 1970 and of root: the same files give the same bytes. */
const SAME_BYTES = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'];

/**
 * Packs a folder, the same files to the same bytes.
 * @throws ERR_CONFIG when there is no GNU tar, which alone sorts
 */
export async function pack(folder: string, archive: string): Promise<void> {
  const env = { ...process.env, LC_ALL: 'C' };
  try {
    await run('tar', ['--create', ...SAME_BYTES, '--file', archive, '--directory', folder, '.'], { env });
  } catch (error) {
    throw new IsomorphError('ERR_CONFIG', 'images are packed by GNU tar, which does not work here', {}, error);
  }
}

export interface Layer {
  /** The packed layer on this machine. */
  readonly file: string;
  /** `sha256:<64 hex>` of it: what an image's RootFS lists. */
  readonly diffId: string;
}

/** Packs a staged folder into `archive`. */
export async function packLayer(folder: string, archive: string): Promise<Layer> {
  await pack(folder, archive);
  return { file: archive, diffId: `sha256:${await sha256(archive)}` };
}
