import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { canonicalBytes, canonicalText } from '../../shared/hash/canonical.ts';
import { openArtifactStore } from '../../shared/world/open.ts';
import { suite } from '../harness/suite.ts';
import { linesOf } from './chain-fixture.ts';
import { runBin, runCli } from './run-cli.ts';

const test = suite('cli command line');

const REGISTRY = fileURLToPath(new URL('../../registry', import.meta.url));

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'isomorph-cli-'));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('a plan whose file cannot be read is told so, with what to do', async () => {
  const missing = await runCli(['submit', 'nowhere.yaml']);
  assert.is(missing.code, 1);
  assert.match(
    missing.stderr,
    /^error ERR_FILE: .*nowhere\.yaml: there is no such file\n {2}help: Check its name, and the folder/,
  );
  assert.match((await runCli(['submit', '.'])).stderr, /^error ERR_FILE: .*: it is a folder/);
});

test('what the command line cannot mean is usage: exit 2, with one error', async () => {
  const wrong = [
    ['bogus'],
    ['submit'],
    ['submit', 'a', 'b'],
    ['artifact'],
    ['artifact', 'put', 'file'],
    ['ledger', 'nope'],
    ['plans', '--limit', 'none'],
    ['plans', '--bogus'],
    ['ledger', 'verify', '--head', 'blake3:x'],
    ['ledger', 'verify', '--admitted', 'plan.json'],
    ['ledger', 'verify', 'plan.ndjson', '--world', '--admitted', 'plan.json'],
  ];
  for (const args of wrong) {
    const { code, stdout, stderr } = await runCli(args);
    assert.is(code, 2, args.join(' '));
    assert.match(stderr, /^error ERR_USAGE: /, args.join(' '));
    assert.is(stdout, '');
  }
});

test('help and version are answers: exit 0', async () => {
  const help = await runCli(['--help']);
  assert.is(help.code, 0);
  for (const name of [
    'dev',
    'demo',
    'submit',
    'cancel',
    'watch',
    'plans',
    'show',
    'artifact',
    'ledger',
    'fsck',
    'doctor',
  ]) {
    assert.match(help.stdout, new RegExp(`^  ${name}\\b`, 'm'));
  }
  assert.ok(help.stdout.split('\n').every((line) => line.length <= 100));
  assert.is((await runCli(['submit', '--help'])).code, 0);
  assert.match((await runCli(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
});

test('without a stack a command says how to get one: exit 1', async () => {
  await withFolder(async (cwd) => {
    for (const args of [['plans'], ['show', 'p'], ['artifact', 'ls'], ['ledger', 'head'], ['cancel', 'p']]) {
      const { code, stderr } = await runCli(args, { cwd });
      assert.is(code, 1);
      assert.match(stderr, /^error ERR_UNAVAILABLE: no stack is running here: start one with `npm run dev`/);
    }
  });
});

test('a stack.json that a killed stack left behind is no stack', async () => {
  await withFolder(async (cwd) => {
    // The largest pid that Linux gives is far below.
    const info = { v: 1, pid: 2 ** 30, nats: { url: 'nats://127.0.0.1:1' } };
    await writeFile(path.join(cwd, 'stack.json'), JSON.stringify(info));
    const { stderr } = await runCli(['plans'], { cwd, env: { ISOMORPH_HOME: '.' } });
    assert.match(stderr, /no stack is running here/);
    await writeFile(path.join(cwd, 'stack.json'), '{');
    assert.match((await runCli(['plans'], { cwd, env: { ISOMORPH_HOME: '.' } })).stderr, /^error ERR_CONFIG: /);
  });
});

test('an error is lines for people, one document for programs, and never a stack trace', async () => {
  const args = ['submit', '-', '--plan-id', 'Not An Id'];
  const people = await runCli(args, { stdin: 'steps: []' });
  assert.is(people.code, 1);
  assert.equal(people.stderr.split('\n'), [
    'error ERR_PLAN_ID: -: the plan_id is missing or malformed',
    '  at /plan_id',
    '  expected a string of the form [a-z0-9][a-z0-9_-]{0,62}, here or by --plan-id',
    '  help: Use [a-z0-9][a-z0-9_-]{0,62}.',
    '',
  ]);
  const programs = await runCli([...args, '--json'], { stdin: 'steps: []' });
  assert.is(programs.code, 1);
  const [document] = programs.documents() as { error: { code: string; pointer: string } }[];
  assert.is(document?.error.code, 'ERR_PLAN_ID');
  assert.is(document?.error.pointer, '/plan_id');
  assert.is(programs.stderr, '');
  const debug = await runCli(args, { stdin: 'steps: []', env: { ISOMORPH_DEBUG: '1' } });
  assert.match(debug.stderr, /\n\s+at /);
});

test('the signature of a URL never reaches the output', async () => {
  const url = 'http://127.0.0.1/a?x-isomorph-signature=c2VjcmV0';
  for (const format of [[], ['--json']]) {
    const { stdout, stderr } = await runCli(['submit', url, ...format]);
    assert.match(stdout + stderr, /x-isomorph-signature=REDACTED/);
    assert.not.match(stdout + stderr, /c2VjcmV0/);
  }
});

test('a plan file that is no YAML is told with its line', async () => {
  const { code, stderr } = await runCli(['submit', '-'], { stdin: 'plan_id: p\nsteps: [\n  {a: 1\n' });
  assert.is(code, 1);
  assert.match(stderr, /^error ERR_NOT_YAML: /);
  assert.match(stderr, /at -:\d+/);
});

test('colours are for terminals, and NO_COLOR is respected', async () => {
  const colored = '\u001b[';
  const stdin = `${linesOf('p').join('\n')}\n`;
  const args = ['ledger', 'verify', '-'];
  assert.not.ok((await runCli(args, { stdin })).stdout.includes(colored));
  assert.ok((await runCli(args, { stdin, isTty: true })).stdout.includes(colored));
  assert.not.ok((await runCli(args, { stdin, isTty: true, env: { NO_COLOR: '1' } })).stdout.includes(colored));
  assert.not.ok((await runCli([...args, '--json'], { stdin, isTty: true })).stdout.includes(colored));
});

test('an export is verified without any server; a finding is exit 1 with its line', async () => {
  await withFolder(async (cwd) => {
    const lines = linesOf('p');
    await writeFile(path.join(cwd, 'good.ndjson'), `${lines.join('\n')}\n`);
    const good = await runCli(['ledger', 'verify', 'good.ndjson'], { cwd });
    assert.is(good.code, 0);
    assert.match(good.stdout, /^✓ verified: 20 events of 1 plan/);
    await writeFile(path.join(cwd, 'bad.ndjson'), lines.filter((_, index) => index !== 6).join('\n'));
    const bad = await runCli(['ledger', 'verify', 'bad.ndjson'], { cwd });
    assert.is(bad.code, 1);
    assert.match(bad.stdout, /✗ line 7 \(p seq 8\)/);
    const json = await runCli(['ledger', 'verify', 'bad.ndjson', '--json'], { cwd });
    const [document] = json.documents() as { ok: boolean; findings: { place: string }[] }[];
    assert.is(document?.ok, false);
    assert.is(document?.findings[0]?.place, 'line 7');
    assert.is((await runCli(['ledger', 'verify', 'nothing.ndjson'], { cwd })).code, 1);
  });
});

test('what an export alone cannot tell is said, and checked with the admitted plan from a file or the World', async () => {
  const demo = new URL('../ledger/golden/v1/demo/', import.meta.url);
  const ledger = await readFile(new URL('penguins-v1.ndjson', demo), 'utf8');
  const document: object = JSON.parse(await readFile(new URL('penguins-v1.admitted.json', demo), 'utf8'));
  await withFolder(async (cwd) => {
    await writeFile(path.join(cwd, 'plan.ndjson'), ledger);
    await writeFile(path.join(cwd, 'plan.json'), canonicalText(document));
    await writeFile(path.join(cwd, 'other.json'), canonicalText({ ...document, title: 'another' }));
    const verify = (...args: string[]) => runCli(['ledger', 'verify', 'plan.ndjson', ...args], { cwd });
    assert.match((await verify()).stdout, /not checked: 1 plan against what was admitted/);
    const [alone] = (await verify('--json')).documents() as { ok: boolean; not_checked: string[] }[];
    assert.is(alone?.ok, true);
    assert.is(alone?.not_checked.length, 1);
    const [whole] = (await verify('--admitted', 'plan.json', '--json')).documents();
    assert.equal((whole as { ok: boolean; not_checked: string[] }).not_checked, []);
    assert.is((whole as { ok: boolean }).ok, true);
    const other = await verify('--admitted', 'other.json');
    assert.is(other.code, 1);
    assert.match(other.stdout, /line 2 \(penguins-v1 seq 2\)\n +ERR_CID_MISMATCH other\.json is not what was admitted/);
    assert.match(other.stdout, /not checked: 1 plan/);
    assert.match((await verify('--admitted', 'nowhere.json')).stdout, /ERR_FILE nowhere\.json: there is no such file/);
    // A World as it lies on a disk, without any server.
    const env = { ARTIFACTS_URL: pathToFileURL(path.join(cwd, 'world')).href };
    assert.match((await runCli(['ledger', 'verify', 'plan.ndjson', '--world'], { cwd, env })).stdout, /ERR_NOT_FOUND/);
    const store = await openArtifactStore(env.ARTIFACTS_URL);
    const worldPath = /"admitted_path":"([^"]*)"/.exec(ledger)?.[1] ?? '';
    await store.put({ worldPath, contentType: 'application/json', body: Readable.from([canonicalBytes(document)]) });
    await store.close();
    const world = await runCli(['ledger', 'verify', 'plan.ndjson', '--world', '--json'], { cwd, env });
    assert.equal((world.documents()[0] as { not_checked: string[] }).not_checked, []);
    assert.is(world.code, 0);
  });
});

test('the registry is listed and validated without a stack; a fault is told with its file', async () => {
  await withFolder(async (cwd) => {
    const env = { ISOMORPH_REGISTRY: REGISTRY };
    const list = await runCli(['registry', 'list'], { cwd, env });
    assert.is(list.code, 0);
    assert.match(list.stdout, /csv\/profile@1/);
    assert.is((await runCli(['registry', 'validate'], { cwd, env })).code, 0);
    await cp(REGISTRY, path.join(cwd, 'registry'), { recursive: true });
    const file = path.join(cwd, 'registry', 'processors', 'csv_profile.yaml');
    await writeFile(file, (await readFile(file, 'utf8')).replace('read_only: false', 'read_only: maybe'));
    const broken = await runCli(['registry', 'validate', path.join(cwd, 'registry')], { cwd });
    assert.is(broken.code, 1);
    assert.match(broken.stdout, /csv_profile\.yaml\n +ERR_SCHEMA .*\n +at \/read_only/);
  });
});

test('the doctor looks at a machine without a stack', async () => {
  await withFolder(async (cwd) => {
    const { code, stdout } = await runCli(['doctor', '--json'], { cwd, env: { ISOMORPH_REGISTRY: REGISTRY } });
    const [document] = JSON.parse(`[${stdout}]`) as { checks: { name: string; verdict: string }[] }[];
    const verdicts = new Map(document?.checks.map(({ name, verdict }) => [name, verdict]));
    assert.is(verdicts.get('node'), 'ok');
    assert.is(verdicts.get('registry'), 'ok');
    assert.is(verdicts.get('stack'), 'warn');
    assert.is(code, [...verdicts.values()].includes('fail') ? 1 : 0);
    const broken = await runCli(['doctor'], { cwd, env: { NATS_SERVER: '/nowhere/nats-server' } });
    assert.is(broken.code, 1);
    assert.match(broken.stdout, /✗ nats-server/);
  });
});

test('the program itself starts quietly and ends with the code of its command', async () => {
  const help = await runBin(['--help']);
  assert.is(help.code, 0);
  assert.is(help.stderr, '');
  const usage = await runBin(['bogus']);
  assert.is(usage.code, 2);
  assert.match(usage.stderr, /^error ERR_USAGE: unknown command 'bogus'/);
});

test.run();
