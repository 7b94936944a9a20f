/** Known defects put back, one at a time, into a copy of the sources: what the soak does not find it is not worth. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pLimit from 'p-limit';
import type { SoakReport } from './soak.ts';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const PATCHES = fileURLToPath(new URL('./patches/', import.meta.url));

/** Nothing of these is changed by a patch; a build has its place in a cache of its own. */
const LINKED = ['node_modules', '.cache/nats-server', '.cache/pglite'];
const NOT_COPIED = new Set(['node_modules', '.cache', '.git', '.isomorph']);

/** A soak waits more than it computes. */
const AT_ONCE = 2;
/** So that one defect that is not found leaves the others their time. */
const MINUTES_EACH = 4;

export const patchNames = async (): Promise<string[]> =>
  (await readdir(PATCHES)).filter((name) => name.endsWith('.patch')).sort();

/** The line of a patch that says what it puts back. */
export async function reasonOf(name: string): Promise<string> {
  const text = await readFile(path.join(PATCHES, name), 'utf8');
  return /^Why: (.+)$/m.exec(text)?.[1] ?? '';
}

/** @throws with what git says of a patch that no longer fits these sources */
export const checkApplies = async (name: string): Promise<void> =>
  void (await promisify(execFile)('git', ['apply', '--check', path.join(PATCHES, name)], { cwd: PROJECT }));

/** The sources as they are, beside the patched ones: what the soak finds there, it would find of any patch. */
const CONTROL = 'control';

/** A copy of the sources with one patch, or as they are. @throws when it does not apply */
export async function patched(name: string): Promise<string> {
  const root = await mkdtemp(path.join(os.tmpdir(), 'isomorph-patched-'));
  const names = (await readdir(PROJECT)).filter((one) => !NOT_COPIED.has(one));
  await Promise.all(names.map((one) => cp(path.join(PROJECT, one), path.join(root, one), { recursive: true })));
  await mkdir(path.join(root, '.cache'));
  await Promise.all(LINKED.map((one) => symlink(path.join(PROJECT, one), path.join(root, one))));
  if (name !== CONTROL) await promisify(execFile)('git', ['apply', path.join(PATCHES, name)], { cwd: root });
  return root;
}

/** What the soak says of a copy; undefined when it ended otherwise, with what it wrote. */
async function soakIn(root: string, minutes: number, seed: number): Promise<SoakReport | string> {
  const main = ['--import', import.meta.resolve('tsx'), 'test/soak/main.ts'];
  const args = [...main, '--minutes', String(minutes), '--seed', String(seed), '--json'];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
    });
  }
  await once(child, 'close');
  const last = output.trim().split('\n').at(-1) ?? '';
  return last.startsWith('{') ? (JSON.parse(last) as SoakReport) : output.slice(-2_000);
}

interface Tried {
  readonly name: string;
  readonly seconds: number;
  readonly found: string | undefined;
  readonly how: string;
}

async function tryPatch(name: string, minutes: number, seed: number): Promise<Tried> {
  const root = await patched(name);
  try {
    const report = await soakIn(root, minutes, seed);
    if (typeof report === 'string') return { name, seconds: 0, found: undefined, how: `it ended otherwise: ${report}` };
    const [found] = report.findings;
    if (report.home !== undefined) await rm(report.home, { recursive: true, force: true });
    return { name, seconds: report.seconds, found, how: found ?? `not found in ${report.rounds} rounds` };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

export interface PatchOptions {
  /** Parts of names; none: all. */
  readonly only: readonly string[];
  readonly seed: number;
  /** For all of them. */
  readonly minutes: number;
}

/** The least that must be found of so many. */
const mustBeFound = (tried: number): number => Math.ceil(tried * 0.9);

/** Tries them and prints the table. @returns whether nine of ten were found in time, and nothing in the sources as they are */
export async function runPatches({ only, seed, minutes }: PatchOptions): Promise<boolean> {
  const startedMs = performance.now();
  const leftMinutes = (): number => minutes - (performance.now() - startedMs) / 60_000;
  const names = (await patchNames()).filter((name) => only.length === 0 || only.some((part) => name.includes(part)));
  const limit = pLimit(AT_ONCE);
  const [control, ...tried] = await Promise.all(
    [CONTROL, ...names].map((name) =>
      limit(async (): Promise<Tried> => {
        const given = Math.min(MINUTES_EACH, leftMinutes());
        if (given <= 0) return { name, seconds: 0, found: undefined, how: 'no time was left' };
        const one = await tryPatch(name, given, seed);
        process.stdout.write(
          `${one.found === undefined ? 'not found' : 'found    '} ${name} ${one.seconds} s: ${one.how}\n`,
        );
        return one;
      }),
    ),
  );
  const found = tried.filter((one) => one.found !== undefined);
  const rows = tried.map(({ name, seconds, how }) => `| ${name.replace('.patch', '')} | ${seconds} s | ${how} |`);
  const head = ['| patch | after | found by |', '|---|---|---|'];
  const wholeMinutes = Math.ceil(minutes - leftMinutes());
  process.stdout.write(`\n${[...head, ...rows].join('\n')}\n`);
  process.stdout.write(`\n${found.length} of ${tried.length} found in ${wholeMinutes} minutes, seed ${seed}\n`);
  process.stdout.write(`the sources as they are: ${control?.how}\n`);
  // A soak that ended otherwise took no seconds.
  const isSound = control !== undefined && control.found === undefined && control.seconds > 0;
  return isSound && found.length >= mustBeFound(tried.length);
}
