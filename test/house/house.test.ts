import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.ts';
import { eagerlyLoaded } from './eager.ts';
import { floorTable, placeOf } from './floors.ts';
import { circlesOf, graphOf, roomsOf } from './graph.ts';
import { IMPORT_RULES } from './imports.ts';
import { namedTwice } from './names.ts';
import { browserCore, pureCore } from './purity.ts';
import type { Rule, SourceFile } from './rule.ts';
import { TEXT_RULES } from './texts.ts';

const test = suite('house rules');

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const RULES: readonly Rule[] = [...IMPORT_RULES, pureCore, browserCore, ...TEXT_RULES];

/** Kept out: what is no prose of ours, and the rules' own examples of what is wrong. */
const LEFT_OUT = /(^package-lock\.json$|\/package-lock\.json$|\.csv$|\.ndjson$|^test\/house\/)/;

async function sources(): Promise<SourceFile[]> {
  const { stdout } = await promisify(execFile)('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    maxBuffer: 64 * 1024 * 1024,
  });
  const paths = stdout.split('\n').filter((path) => path !== '' && !LEFT_OUT.test(path));
  const files = paths.map(async (path) => ({ path, text: await readFile(`${ROOT}${path}`, 'utf8').catch(() => '') }));
  return Promise.all(files);
}

/** For every rule files that break it: a guard that finds nothing may be asleep. */
const FAILING: Readonly<Record<string, SourceFile | readonly SourceFile[]>> = {
  'arrows run down the floors': [
    { path: 'shared/plan/x.ts', text: "import { x } from '../../services/admission/decide.ts';" },
    { path: 'shared/ledger/x.ts', text: "import type { Plan } from '../plan/plan.ts';" },
    { path: 'shared/ids/x.ts', text: "export { verify } from '../ledger/verify.ts';" },
    { path: 'shared/nats/x.ts', text: "export type * from '../scratch/options.ts';" },
    { path: 'shared/scratch/kv/kv.ts', text: "import type { x } from './open.ts';" },
    { path: 'shared/scratch/kv/drivers/redis/x.ts', text: "import { x } from '../nats/nats.ts';" },
    { path: 'shared/providers/aws/x.ts', text: "const x = await import('../../world/artifact-store.ts');" },
    { path: 'shared/providers/aws/x.ts', text: 'const x = await import(`../../world/artifact-store.ts`);' },
    { path: 'processors/x/x.ts', text: "import { x } from '../../shared/ids/ids.ts';" },
    { path: 'shared/new_room/x.ts', text: "import { x } from '../ids/ids.ts';" },
  ],
  'services never import each other': {
    path: 'services/settler/x.ts',
    text: "import { x } from '../admission/decide.ts';",
  },
  'the pure core reads no clock, draws no lots and does no I/O': [
    { path: 'services/settler/decide.ts', text: "import { readFile } from 'node:fs/promises';" },
    { path: 'services/settler/decide.ts', text: 'const now = Date.now();' },
    { path: 'services/settler/decide.ts', text: 'const now = new Date().toISOString();' },
    { path: 'services/settler/decide.ts', text: `const now = \`\${performance.now()}\`;` },
    { path: 'shared/plan/x.ts', text: 'const lot = Math.random();' },
    { path: 'shared/wire/x.ts', text: "import { createHash, randomUUID } from 'node:crypto';\n" },
    { path: 'shared/ledger/x.ts', text: "const home = process.env['HOME'];" },
    { path: 'shared/ledger/x.ts', text: "await fetch('http://localhost');" },
    { path: 'shared/text/x.ts', text: "console.error('x');" },
    { path: 'shared/text/x.ts', text: 'setTimeout(() => undefined, 1);' },
    { path: 'shared/ledger/x.ts', text: 'const { now } = Date;' },
    { path: 'shared/ledger/x.ts', text: "const at = Date['now']();" },
    { path: 'shared/ledger/x.ts', text: 'const clock: () => unknown = Date;' },
    { path: 'shared/ledger/x.ts', text: 'const at = new Date(...[]);' },
    { path: 'shared/ledger/x.ts', text: "const clock = globalThis['Date'];" },
    { path: 'shared/ledger/x.ts', text: 'const at = D\\u0061te.now();' },
    { path: 'shared/ledger/x.ts', text: 'const { random } = Math;' },
    { path: 'shared/ledger/x.ts', text: "const lot = Math['random']();" },
    { path: 'shared/ledger/x.ts', text: 'const fs = await import(`node:fs`);' },
    { path: 'shared/ledger/x.ts', text: 'const fs = await import(`node:$' + '{name}`);' },
    { path: 'shared/ledger/x.ts', text: 'const home = import.meta.dirname;' },
    { path: 'shared/ledger/x.ts', text: "const now = new Function('return Date.now()');" },
    { path: 'services/settler/decide.ts', text: "import { publish } from '../../shared/nats/publish.ts';" },
  ],
  'what a browser runs uses nothing of Node': [
    { path: 'shared/ledger/x.ts', text: "import { createHash } from 'node:crypto';" },
    { path: 'shared/ids/x.ts', text: "const bytes = Buffer.from('x');" },
  ],
  'provider SDKs are imported in drivers only': [
    { path: 'shared/world/artifact-store.ts', text: "const s3 = await import('@aws-sdk/client-s3');" },
    { path: 'cli/x.ts', text: "const { build } = await import('esbuild');" },
  ],
  'subjects are spelled in shared/wire': [
    { path: 'cli/x.ts', text: "const subject = 'plans.submit';" },
    { path: 'services/sampler/x.ts', text: `const subject = \`facts.\${planId}.x\`;` },
    { path: 'bench/x.ts', text: `const subject = \`\${PREFIX}ledger.>\`;` },
  ],
  'a file is one room: at most 300 lines': { path: 'shared/world/x.ts', text: '\n'.repeat(301) },
  'a loose end names its ADR': { path: 'shared/x.ts', text: '// TODO later' },
  'no any': { path: 'shared/x.ts', text: 'const x: any = 1;' },
  'libraries and services do not print': { path: 'shared/x.ts', text: "console.log('x');" },
  'only the paths of the project appear in it': { path: 'docs/x.md', text: 'see /root/.npmrc' },
  'no silent catch': { path: 'shared/x.ts', text: 'try { f(); } catch {}' },
  'every suite runs': { path: 'test/x.test.ts', text: "test('x', () => {});" },
};

for (const rule of RULES) {
  test(`${rule.name}: its failing example is found`, () => {
    const example = FAILING[rule.name];
    if (example === undefined) throw new Error('this rule has no failing example');
    for (const one of [example].flat()) assert.ok(rule.check(one).length > 0, one.text);
  });
}

test('what is pure stays so: a time that is given, a name of a member, of a type or in a text', () => {
  const pure = [
    "const ms = Date.parse('2026-11-28') + new Date(1).getTime() + Date.UTC(2026, 1);",
    'const isDate = value instanceof Date;',
    'const most = Math.max(1, 2);',
    'const { process: it } = holder.process;',
    'type Clock = typeof Date.now;',
    'interface Options { readonly fetch: typeof fetch }',
    'class Held { #process = 1; fetch() { return this.#process; } }',
    '// Date.now() is the clock',
    `const told = 'Date.now()' + \`the process \${name}\`;`,
    "import type { readFile } from 'node:fs/promises';",
  ];
  assert.equal(
    pure.filter((text) => pureCore.check({ path: 'shared/ledger/x.ts', text }).length > 0),
    [],
  );
});

const files = (imports: Readonly<Record<string, string>>): SourceFile[] =>
  Object.entries(imports).map(([path, to]) => ({ path, text: to === '' ? '' : `import type { X } from '${to}';` }));

test('a circle is found, of files and of rooms, types included', () => {
  const graph = graphOf(files({ 'a/one.ts': '../b/two.ts', 'b/two.ts': '../c/three.ts', 'c/three.ts': '../a/one.ts' }));
  assert.equal(circlesOf(graph), [['a/one.ts', 'b/two.ts', 'c/three.ts']]);
  const apart = graphOf(files({ 'a/1.ts': '../b/1.ts', 'b/1.ts': '', 'b/2.ts': '../a/2.ts', 'a/2.ts': '' }));
  assert.equal(circlesOf(apart), []);
  assert.equal(circlesOf(roomsOf(apart, (file) => file.split('/')[0])), [['a', 'b']]);
});

test('nothing imports itself by a detour', async () => {
  const graph = graphOf(await sources());
  assert.equal(circlesOf(graph), []);
  assert.equal(circlesOf(roomsOf(graph, (file) => placeOf(file)?.room)), []);
  process.stdout.write(`\n${floorTable()}\n`);
});

test('an SDK that is loaded with its opener is found, over however many files; one behind import() is not', () => {
  const driver = {
    path: 'shared/scratch/queue/drivers/sqs/service.ts',
    text: "import { A } from '@aws-sdk/client-sqs';",
  };
  const sqs = { path: 'shared/scratch/queue/drivers/sqs/sqs.ts', text: "import { x,\n  type Y } from './service.ts';" };
  const found = (text: string): string[] =>
    eagerlyLoaded([driver, sqs, { path: 'shared/scratch/queue/open.ts', text }]).map(({ path }) => path);
  assert.equal(found("import { sqs } from './drivers/sqs/sqs.ts';"), ['shared/scratch/queue/open.ts']);
  assert.equal(found("export * from './drivers/sqs/sqs.ts';"), ['shared/scratch/queue/open.ts']);
  assert.equal(found("const { sqs } = await import('./drivers/sqs/sqs.ts');"), []);
  assert.equal(found("import type { Sqs } from './drivers/sqs/sqs.ts';"), []);
  const elsewhere = { path: 'cli/x.ts', text: "import * as esbuild from 'esbuild';" };
  assert.equal(
    eagerlyLoaded([elsewhere]).map(({ path }) => path),
    ['cli/x.ts'],
  );
});

test('a name that two files export is found, of a type or of a function', () => {
  const found = (paths: readonly string[], ...texts: readonly string[]): string[] =>
    namedTwice(paths.map((path, index) => ({ path, text: texts[index % texts.length] ?? '' }))).map(({ path }) => path);
  const places = ['shared/ids/x.ts', 'cli/x.ts'];
  for (const text of [
    'export interface Found<T> {}',
    'export async function found(): Promise<void> {}',
    'export function* found(): Generator {}',
    'export const found = (one: string): string => one;',
    'export const found = async <T>({ one }: T) => one;',
    'export const found: (one: string) => string = (one) => one;',
    'export const found = (\n  one: string,\n): string => one;',
  ]) {
    assert.equal(found(places, text), ['cli/x.ts'], text);
  }
  assert.equal(found(places, 'export function found(): void {}', 'export const found = () => 1;'), ['cli/x.ts']);
  assert.equal(found(places, 'export interface Found {}', 'interface Found {}'), []);
  // Siblings that play one part may call it alike; whoever else does means another.
  const siblings = ['shared/world/drivers/s3/x.ts', 'shared/providers/redis/x.ts'];
  assert.equal(found(siblings, 'export const statusOf = (error: unknown) => error;'), []);
  assert.equal(found([...siblings, 'cli/x.ts'], 'export const statusOf = (error: unknown) => error;'), ['cli/x.ts']);
  assert.equal(found(['services/admission/start.ts', 'services/settler/start.ts'], 'export function start() {}'), []);
});

test('the project keeps every rule', async () => {
  const files = await sources();
  assert.ok(files.length > 100);
  const each = files.flatMap((file) => RULES.flatMap((rule) => rule.check(file)));
  const findings = [...each, ...eagerlyLoaded(files), ...namedTwice(files)];
  assert.equal(
    findings.map(({ rule, path, message }) => `${path}: ${rule}: ${message}`),
    [],
  );
});

test.run();
