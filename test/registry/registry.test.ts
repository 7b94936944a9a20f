import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { loadRegistry, readRegistry } from '../../shared/registry/registry.ts';
import { runCli } from '../cli/run-cli.ts';
import { suite } from '../harness/suite.ts';

const test = suite('a registry with bad files');

const FIXTURES = fileURLToPath(new URL('../fixtures/registry', import.meta.url));
const ALIASES =
  'a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n';

let root: string;

test.before.each(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'isomorph-registry-'));
  await cp(FIXTURES, root, { recursive: true });
});
test.after.each(() => rm(root, { recursive: true, force: true }));

/** One file for each way to be bad, with what is told of it. */
const BAD: Readonly<Record<string, readonly [content: string | Uint8Array, told: RegExp]>> = {
  'processors/bad-aliases.yaml': [ALIASES, /bad-aliases\.yaml:3:\d+: aliases stand for too much/],
  'processors/bad-brackets.yaml': ['ref: [1,\n', /bad-brackets\.yaml:\d+:\d+: /],
  'processors/bad-number.yaml': [
    'ref: x\ncost: 12345678901234567891\n',
    /bad-number\.yaml:2:7: no double is 1234567890/,
  ],
  'processors/bad-tag.yaml': ['ref: !!binary aGVsbG8=\n', /bad-tag\.yaml:1:15: JSON has no !!binary/],
  'processors/bad-twice.yaml': ['ref: a/b@1\nref: a/c@1\n', /bad-twice\.yaml:2:1: /],
  'processors/bad-depth.yaml': [`ref: ${'['.repeat(300)}${']'.repeat(300)}\n`, /bad-depth\.yaml:1:\d+: it is too /],
  'processors/bad-bytes.yaml': [Uint8Array.of(0xff, 0xfe), /bad-bytes\.yaml: it is not UTF-8/],
  'processors/bad-names.yaml': ['constructor: 1\n__proto__: 2\n', /bad-names\.yaml#\/__proto__: /],
  'processors/bad-nothing.yaml': ['', /bad-nothing\.yaml: must be object/],
  'policies/bad-documents.yaml': ['name: a\n---\nname: b\n', /bad-documents\.yaml:\d+:\d+: /],
  'processors/bad-comma.yaml': ['{\n  "ref": "a/b@1",\n}\n', /bad-comma\.yaml:3:1: /],
  'policies/bad-comment.yaml': ['{"name": "a" # mine\n}\n', /bad-comment\.yaml:1:14: .*expected JSON/],
  'policies/bad-list.yaml': ['[1]', /bad-list\.yaml: must be object/],
  'policies/bad-character.yaml': ['name: "\\ud800"\n', /bad-character\.yaml:1:7: a text with half a character/],
};

async function makeBad(): Promise<void> {
  for (const [file, [content]] of Object.entries(BAD)) await writeFile(path.join(root, file), content);
  await mkdir(path.join(root, 'processors', 'bad-folder.yaml'));
  await symlink('nowhere', path.join(root, 'policies', 'bad-link.yaml'));
}

test('each is named with its place in one message, and what is good is still there', async () => {
  await makeBad();
  const thrown: unknown = await loadRegistry(root).catch((error: unknown) => error);
  assert.instance(thrown, IsomorphError);
  const { code, message } = thrown as IsomorphError;
  assert.is(code, 'ERR_CONFIG');
  for (const [file, [, told]] of Object.entries(BAD)) assert.match(message, told, file);
  assert.match(message, /bad-folder\.yaml: it cannot be read: EISDIR/);
  assert.match(message, /bad-link\.yaml: it cannot be read: ENOENT/);
  const [{ registry }, whole] = [await readRegistry(root), await loadRegistry(FIXTURES)];
  assert.equal([...registry.processors.keys()], [...whole.processors.keys()]);
  assert.equal([...registry.policies.keys()], [...whole.policies.keys()]);
});

test('two files with one name are both named, and so is a folder that is not there', async () => {
  const probe = await readFile(path.join(root, 'processors', 'probe.yaml'));
  await writeFile(path.join(root, 'processors', 'second.yaml'), probe);
  await rm(path.join(root, 'policies'), { recursive: true });
  const { faults } = await readRegistry(root);
  const told = faults.map(({ file, pointer, message }) => [path.relative(root, file), pointer, message]);
  assert.equal(told, [
    ['policies', undefined, 'the folder cannot be read: ENOENT'],
    ['processors/second.yaml', '/ref', `test/probe@1 is defined in ${path.join(root, 'processors', 'probe.yaml')} too`],
  ]);
});

test('the command line tells the same of every file', async () => {
  await makeBad();
  const told = await runCli(['registry', 'validate', root, '--json']);
  assert.is(told.code, 1);
  const [{ ok, faults }] = told.documents() as [{ ok: boolean; faults: { file: string; code: string }[] }];
  assert.not(ok);
  const files = new Set(faults.map(({ file }) => path.relative(root, file)));
  for (const file of [...Object.keys(BAD), 'processors/bad-folder.yaml', 'policies/bad-link.yaml']) {
    assert.ok(files.has(file), file);
  }
  const list = await runCli(['registry', 'list'], { env: { ISOMORPH_REGISTRY: root } });
  assert.is(list.code, 1);
  assert.match(list.stderr, /bad-number\.yaml/);
  assert.match(list.stderr, /bad-character\.yaml/);
});

test('a plan is read by the same door, from a file and from standard input', async () => {
  const half = 'plan_id: half\ntitle: "\\ud800"\n';
  for (const [stdin, words] of [
    [half, /ERR_NOT_YAML[\s\S]*-:2:8[\s\S]*lone surrogates/],
    ['plan_id: a\nn: 0xFFFFFFFFFFFFFFFF\n', /-:2:4/],
    ['{"plan_id": "a",}', /ERR_NOT_JSON[\s\S]*-:1:17[\s\S]*no comma before }/],
    [`plan_id: a\nb: ${ALIASES.slice(3)}`, /ERR_NOT_YAML/],
  ] as const) {
    const told = await runCli(['submit', '-'], { stdin });
    assert.is(told.code, 1);
    assert.match(told.stderr, words);
  }
  await writeFile(path.join(root, 'plan.yaml'), Uint8Array.of(0x70, 0x6c, 0xff));
  const told = await runCli(['submit', path.join(root, 'plan.yaml')]);
  assert.match(told.stderr, /ERR_NOT_YAML: it is not UTF-8/);
  await writeFile(path.join(root, 'plan.json'), 'plan_id: a\n');
  assert.match((await runCli(['submit', path.join(root, 'plan.json')])).stderr, /ERR_NOT_JSON[\s\S]*plan\.json:1:1/);
});

test('what workers alone run needs no image and no entrypoint; what is started somewhere needs both', async () => {
  const file = path.join(root, 'processors', 'probe.yaml');
  const entry = (adapters: string): string =>
    probe
      .replace(/^image: .*\n/m, '')
      .replace(/^entrypoint: .*\n/m, '')
      .replace(/^adapters: .*$/m, `adapters: ${adapters}`);
  const probe = await readFile(file, 'utf8');
  await writeFile(file, entry('[worker]'));
  const { registry, faults } = await readRegistry(root);
  assert.equal(faults, []);
  const { image, entrypoint } = registry.processors.get('test/probe@1') ?? {};
  assert.equal([image, entrypoint], ['test/probe@1', []]);
  await writeFile(file, entry('[worker, mock]'));
  const refused = (await readRegistry(root)).faults.map(({ code, pointer, message }) => [code, pointer, message]);
  assert.equal(refused, [
    ['ERR_SCHEMA', '/image', 'mock needs an image to start'],
    ['ERR_SCHEMA', '/entrypoint', 'mock needs an entrypoint to start'],
  ]);
});

test.run();
