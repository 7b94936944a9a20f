import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { isAlive } from '../../stack/process.ts';
import { suite } from './suite.ts';

/** The runner on suites that hang: nothing of them is left. */

const test = suite('test runner');

const RUNNER = fileURLToPath(new URL('../run.ts', import.meta.url));
const SUITE = new URL('./suite.ts', import.meta.url).href;

/** A suite of its own file. `start` starts a child that ends by nobody's hand but ours, deaf to SIGTERM. */
const suiteText = (body: string): string => `
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { suite } from ${JSON.stringify(SUITE)};
const test = suite('fixture', undefined, { timeoutMs: 4_000 });
const start = async (env = {}) => {
  const program = "process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1e6)";
  const child = spawn(process.execPath, ['-e', program], { detached: true, env, stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  writeFileSync(process.env.PIDS, process.pid + ' ' + child.pid);
};
${body}
test.run();
`;

interface Run {
  readonly runner: ChildProcess;
  readonly folder: string;
  /** Of the suite and of the child that it started. */
  pids(): Promise<number[]>;
}

async function withRunner(body: string, env: Record<string, string>, use: (run: Run) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'isomorph-runner-'));
  try {
    await writeFile(path.join(folder, 'package.json'), '{"type":"module"}');
    await writeFile(path.join(folder, 'fixture.test.ts'), suiteText(body));
    const pidFile = path.join(folder, 'pids');
    const runner = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), RUNNER, '--root', folder], {
      // As on a machine ten times as fast: what hangs is found sooner.
      env: { ...process.env, ISOMORPH_TEST_SLOWNESS: '0.1', PIDS: pidFile, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pids = async (): Promise<number[]> => (await readFile(pidFile, 'utf8')).split(' ').map(Number);
    await use({ runner, folder, pids });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function ended({ runner }: Run): Promise<{ code: number | null; output: string }> {
  const closed = once(runner, 'close');
  if (runner.stdout === null) throw new Error('no standard output');
  const output = await text(runner.stdout);
  const [code] = (await closed) as [number | null];
  return { code, output };
}

async function noneLeft(run: Run): Promise<void> {
  const pids = await run.pids();
  assert.is(pids.length, 2);
  for (const pid of pids) assert.not.ok(await isAlive(pid), `${pid} is still running`);
}

test('a test that hangs ends its suite, what that started, and no more than that', async () => {
  const body = `
    await start();
    test.after(() => writeFileSync(process.env.PIDS + '.after', ''));
    test('works', async () => {});
    test('hangs', async () => { setInterval(() => {}, 1e6); await new Promise(() => {}); });
    test('comes later', async () => {});`;
  await withRunner(body, {}, async (run) => {
    const { code, output } = await ended(run);
    assert.is(code, 1);
    assert.match(output, /1 suite, \d+ at once; each may take 2 minutes/);
    assert.match(output, 'fixture.test.ts is running (1 of 1)');
    assert.match(output, '"hangs" did not end in 400 ms');
    assert.match(output, 'not run, because "hangs" hangs');
    assert.match(output, /\n1 passed, 2 failed, 0 skipped\n$/);
    assert.is(await readFile(path.join(run.folder, 'pids.after'), 'utf8'), '');
    await noneLeft(run);
  });
});

test('a suite whose process goes on after its tests is ended, and has failed', async () => {
  const body = "await start(); test('leaves a timer', async () => { setInterval(() => {}, 1e6); });";
  await withRunner(body, {}, async (run) => {
    const { code, output } = await ended(run);
    assert.is(code, 1);
    assert.match(output, 'its process did not end after its tests');
    await noneLeft(run);
  });
});

test('what an ended suite left running is ended', async () => {
  const body =
    "await start(process.env); test('leaves a child', async () => { setImmediate(() => process.exit(0)); });";
  await withRunner(body, {}, async (run) => {
    await ended(run);
    await noneLeft(run);
  });
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} of the runner ends everything`, async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const body = `test('hangs', async () => { await start(); connect(${address.port}, '127.0.0.1'); await new Promise(() => {}); });`;
    try {
      await withRunner(body, { ISOMORPH_TEST_SLOWNESS: '100' }, async (run) => {
        const ending = ended(run);
        await once(server, 'connection');
        run.runner.kill(signal);
        const { code, output } = await ending;
        assert.is(code, 130);
        assert.match(output, `${signal}: ending what runs`);
        await noneLeft(run);
      });
    } finally {
      server.close();
    }
  });
}

test('a slowness that is no number is refused', async () => {
  await withRunner("test('x', async () => {});", { ISOMORPH_TEST_SLOWNESS: 'fast' }, async (run) => {
    assert.is((await ended(run)).code, 1);
  });
});

test.run();
