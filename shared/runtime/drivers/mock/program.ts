import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { createBlake3 } from '../../../hash/blake3.ts';
import { cidOf, cidOfHex } from '../../../hash/cid.ts';
import { processorFolder } from '../../../ids/ids.ts';
import type { Processor } from '../../../plan/registry.ts';
import { bundle } from '../../bundle.ts';

/** A processor as something the operating system can start. */
export interface Program {
  readonly command: readonly string[];
  /** Identity of the code: what a receipt names where a container has its image digest. */
  readonly digest: string;
}

export interface ProgramOptions {
  /** Folder of the processors' folders. */
  readonly processorsDir: string;
  /** Folder for bundles; may be emptied at any time. */
  readonly cacheDir: string;
}

const notStartable = (message: string, cause?: unknown): IsomorphError =>
  new IsomorphError('ERR_START', message, {}, cause);

/** A TypeScript entrypoint as one module in the cache. */
async function bundled(entry: string, { cacheDir }: ProgramOptions): Promise<Program> {
  const code = await bundle(entry);
  const digest = cidOf(code);
  const file = path.join(cacheDir, `${digest.slice(7, 39)}.mjs`);
  if (!existsSync(file)) {
    await mkdir(cacheDir, { recursive: true });
    const draft = `${file}.${process.pid}.${Date.now()}`;
    await writeFile(draft, code);
    await rename(draft, file);
  }
  return { command: [process.execPath, file], digest };
}

/** A hash over names and bytes of a folder, in order of name. */
async function folderDigest(folder: string): Promise<string> {
  const hasher = createBlake3();
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  for (const file of files.sort()) {
    if (file.includes(`${path.sep}node_modules${path.sep}`)) continue;
    const bytes = await readFile(file);
    hasher.update(Buffer.from(`${path.relative(folder, file)}\0${bytes.byteLength}\0`));
    hasher.update(bytes);
  }
  return cidOfHex(hasher.digestHex());
}

/** Arguments that name files of the processor's folder are meant relative to it, as in its image. */
const absolute = (folder: string, argument: string): string =>
  !argument.startsWith('-') && existsSync(path.join(folder, argument)) ? path.join(folder, argument) : argument;

/**
 * The program of a processor.
 * @throws ERR_START when it has no folder here or does not build.
 */
export async function programOf(processor: Processor, options: ProgramOptions): Promise<Program> {
  const folder = path.join(options.processorsDir, processorFolder(processor.ref));
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true) throw notStartable(`${processor.ref} has no folder ${folder}`);
  const [command = '', script = ''] = processor.entrypoint;
  const entry = path.join(folder, script);
  if (command === 'node' && script.endsWith('.ts') && existsSync(entry)) {
    const program = await bundled(entry, options);
    return { ...program, command: [...program.command, ...processor.entrypoint.slice(2)] };
  }
  const executable = command === 'node' ? process.execPath : command;
  const rest = processor.entrypoint.slice(1).map((argument) => absolute(folder, argument));
  return { command: [executable, ...rest], digest: await folderDigest(folder) };
}
