/** A third party has nothing but the page: what it tells to add, and nothing else, is added to a copy of the project. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.ts';
import { readSummary } from '../harness/summary.ts';
import { natsBinary } from '../stack/fixture.ts';

const test = suite('adding a backend');

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PAGE = await readFile(join(ROOT, 'docs/adding-a-backend.md'), 'utf8');
const LIST = 'shared/scratch/kv/open.ts';
const DRIVER = 'shared/scratch/kv/drivers/trivial/trivial.ts';
const SUITE = 'test/scratch/trivial.test.ts';
/** What the services, the suites and the documentation are made of. */
const COPIED = ['package.json', 'tsconfig.json', 'shared', 'services', 'stack', 'processors/sdk', 'test', 'tools'];
const SUITE_LINES = 4;

/** The code block of this name. */
function block(name: string): string {
  const code = new RegExp(`^\`\`\`ts ${name}\\n([^]*?)^\`\`\`$`, 'm').exec(PAGE)?.[1];
  if (code === undefined) throw new Error(`the page has no block "${name}"`);
  return code;
}

/** The project with the backend of the page: its folder and its line. */
async function copyWithBackend(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'isomorph-backend-'));
  for (const name of COPIED) await cp(join(ROOT, name), join(copy, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  await mkdir(dirname(join(copy, DRIVER)));
  await writeFile(join(copy, DRIVER), block('driver'));
  const list = await readFile(join(copy, LIST), 'utf8');
  await writeFile(join(copy, LIST), list.replace(/^\]\);$/m, `${block('line')}]);`));
  await writeFile(join(copy, SUITE), block('suite'));
  return copy;
}

let copy: string;
test.before(async () => {
  copy = await copyWithBackend();
});
test.after(() => rm(copy, { recursive: true, force: true }));

async function run(file: string, ...args: readonly string[]): Promise<string> {
  const env = { ...process.env, NO_COLOR: '1', NATS_SERVER: await natsBinary() };
  const command = ['--import', 'tsx', file, ...args];
  const ended = await promisify(execFile)(process.execPath, command, { cwd: copy, env }).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  return ended.stdout === '' ? ended.stderr : ended.stdout;
}

test('the suite runs in a few lines, and the list takes one', () => {
  assert.is(block('suite').split('\n').filter(Boolean).length, SUITE_LINES);
  assert.is(block('line').trim().split('\n').length, 1);
});

test('what is pasted keeps the rules of lint', async () => {
  await cp(join(ROOT, 'biome.json'), join(copy, 'biome.json'));
  const said = await promisify(execFile)(
    join(ROOT, 'node_modules/.bin/biome'),
    ['check', '--vcs-enabled=false', DRIVER, SUITE, LIST],
    { cwd: copy },
  ).catch((error: { stdout: string; stderr: string }) => error);
  assert.match(said.stderr, /^Checked 3 files .*No fixes applied/);
});

test('the driver of the page passes the suite', async () => {
  const { passed, failed } = readSummary(await run(SUITE), 0);
  assert.is(failed, 0);
  assert.ok(passed > 20, `${passed} cases passed`);
});

test('its URL is configured, a gateway runs on it, and processors and pages meet it', async () => {
  const said = await run('test/scratch/gateway-on-a-backend.ts', 'trivial:');
  const named = ['docs/configuration.md', 'docs/scratch.md'];
  const expected = { greeting: 'hello', sum: 2, refused: 'ERR_UNIMPLEMENTED', named };
  assert.equal(said.trim(), JSON.stringify(expected));
});

test('without its line nothing knows it', async () => {
  const list = await readFile(join(copy, LIST), 'utf8');
  await writeFile(join(copy, LIST), list.replace(block('line'), ''));
  try {
    const said = await run('test/scratch/gateway-on-a-backend.ts', 'trivial:');
    assert.match(said, /gateway cannot start, the environment has 1 fault:\n {2}KV_URL is not usable/);
  } finally {
    await writeFile(join(copy, LIST), list);
  }
});

test('a driver that breaks the contract does not pass', async () => {
  const broken = block('driver').replace('sum = addToDecimal(', 'sum = 1 + addToDecimal(');
  await writeFile(join(copy, DRIVER), broken);
  const { failed } = readSummary(await run(SUITE), 0);
  assert.ok(failed > 0);
});

test.run();
