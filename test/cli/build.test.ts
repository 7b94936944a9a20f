import { spawn } from 'node:child_process';
import {
  appendFile,
  cp,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.ts';

/** The build that `bin/` runs, in copies of the project whose sources change. */

const test = suite('build');

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const COPIED = ['bin', 'cli', 'services', 'shared', 'stack', 'package.json'];
const MARK = 'this is the build of the first start';

/** A clone of the project after `npm ci`. */
class Clone {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  static async make(): Promise<Clone> {
    const root = await mkdtemp(path.join(tmpdir(), 'isomorph-build-'));
    for (const name of COPIED) await cp(path.join(PROJECT, name), path.join(root, name), { recursive: true });
    await symlink(path.join(PROJECT, 'node_modules'), path.join(root, 'node_modules'));
    return new Clone(root);
  }

  at(...names: readonly string[]): string {
    return path.join(this.root, ...names);
  }

  async run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, [this.at('bin/isomorph.mjs'), ...args], {
      cwd: '/',
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const [stdout, stderr] = await Promise.all([buffer(child.stdout), buffer(child.stderr)]);
    return { code: await ended, stdout: stdout.toString(), stderr: stderr.toString() };
  }

  builds(): Promise<string[]> {
    return readdir(this.at('.cache/build'));
  }

  /** Makes every build that is there say so when it is run. */
  async mark(): Promise<void> {
    for (const name of await this.builds()) {
      await appendFile(this.at('.cache/build', name, 'isomorph.js'), `\nconsole.error(${JSON.stringify(MARK)});\n`);
    }
  }

  /** Whether a start runs a build that was marked. */
  async runsMarked(): Promise<boolean> {
    const { code, stderr } = await this.run(['--version']);
    assert.is(code, 0, stderr);
    return stderr.includes(MARK);
  }
}

async function withClone(use: (clone: Clone) => Promise<void>): Promise<void> {
  const clone = await Clone.make();
  try {
    await use(clone);
  } finally {
    await rm(clone.root, { recursive: true, force: true });
  }
}

async function bytesOf(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).sort();
  const texts = names.map(async (name) => [name, await readFile(path.join(folder, name), 'utf8')] as const);
  return Object.fromEntries(await Promise.all(texts));
}

test('a clone that knows of no build starts, and makes one that the next start runs', async () => {
  await withClone(async (clone) => {
    const { version } = JSON.parse(await readFile(clone.at('package.json'), 'utf8')) as { version: string };
    assert.equal(await clone.run(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
    assert.is((await clone.builds()).length, 1);
    await clone.mark();
    assert.ok(await clone.runsMarked());
  });
});

test('a build of other sources is never run, whatever times and sizes say', async () => {
  await withClone(async (clone) => {
    await clone.run(['--version']);
    await clone.mark();
    const source = clone.at('cli/main.ts');
    const [text, { atime, mtime }] = [await readFile(source, 'utf8'), await stat(source)];
    await writeFile(source, text.replace('Runs plans whose', 'Runs PLANS whose'));
    await utimes(source, atime, mtime);
    const help = await clone.run(['--help']);
    assert.match(help.stdout, 'Runs PLANS whose');
    assert.is(help.stderr, '');

    await writeFile(source, text);
    assert.ok(await clone.runsMarked(), 'the first sources again, written later');
    await rename(clone.at('cli/mailbox.ts'), clone.at('cli/letterbox.ts'));
    assert.not.ok(await clone.runsMarked(), 'a source was moved');
    await rename(clone.at('cli/letterbox.ts'), clone.at('cli/mailbox.ts'));
    await rm(clone.at('stack/nats/version.ts'));
    assert.not.ok(await clone.runsMarked(), 'a source was deleted');
  });
});

test('the same sources give the same bytes', async () => {
  await withClone(async (clone) => {
    await clone.run(['--version']);
    const [name = ''] = await clone.builds();
    const folder = clone.at('.cache/build', name);
    const first = await bytesOf(folder);
    await rm(folder, { recursive: true });
    await clone.run(['--version']);
    assert.equal(await clone.builds(), [name]);
    assert.equal(await bytesOf(folder), first);
  });
});

test('first starts at the same time leave one whole build', async () => {
  await withClone(async (clone) => {
    const results = await Promise.all([1, 2, 3].map(() => clone.run(['--version'])));
    assert.equal(
      results.map(({ code }) => code),
      [0, 0, 0],
    );
    assert.is((await clone.builds()).length, 1);
  });
});

test('where none can be written the sources are run', async () => {
  await withClone(async (clone) => {
    await writeFile(clone.at('.cache'), 'no folder');
    const { code, stderr } = await clone.run(['plans'], { ISOMORPH_DEBUG: '1' });
    assert.is(code, 1);
    assert.match(stderr, /without a build: .*ENOTDIR/);
    assert.match(stderr, 'error ERR_UNAVAILABLE');
  });
});

test('a source that is no TypeScript is told with its place and nothing else', async () => {
  await withClone(async (clone) => {
    await appendFile(clone.at('cli/render/text.ts'), 'const broken = (;\n');
    const { code, stdout, stderr } = await clone.run(['plans']);
    assert.equal([code, stdout], [1, '']);
    assert.match(stderr, /^Transform failed with 1 error:\n\S*cli\/render\/text\.ts:\d+:\d+: ERROR: [^\n]+\n$/);
  });
});

test('errors of a build name places in the sources', async () => {
  await withClone(async (clone) => {
    const lines = (await readFile(clone.at('cli/context.ts'), 'utf8')).split('\n');
    const line = 1 + lines.findIndex((text) => text.includes("throw new IsomorphError('ERR_UNAVAILABLE', NO_STACK)"));
    const { stderr } = await clone.run(['plans'], { ISOMORPH_DEBUG: '1' });
    assert.match(stderr, `cli/context.ts:${line}:`);
  });
});

test.run();
