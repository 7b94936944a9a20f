import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.ts';
import { IMPORT_RULES } from './imports.ts';
import type { Rule, SourceFile } from './rule.ts';
import { TEXT_RULES } from './texts.ts';

const test = suite('house rules');

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const RULES: readonly Rule[] = [...IMPORT_RULES, ...TEXT_RULES];

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

/** For every rule a file that breaks it: a guard that finds nothing may be asleep. */
const FAILING: Readonly<Record<string, SourceFile>> = {
  'dependencies point one way': {
    path: 'shared/plan/x.ts',
    text: "import { x } from '../../services/admission/decide.ts';",
  },
  'services never import each other': {
    path: 'services/settler/x.ts',
    text: "import { x } from '../admission/decide.ts';",
  },
  'the functional core does no I/O': {
    path: 'services/settler/decide.ts',
    text: "import { readFile } from 'node:fs/promises';",
  },
  'provider SDKs are imported in drivers only': {
    path: 'shared/world/artifact-store.ts',
    text: "const s3 = await import('@aws-sdk/client-s3');",
  },
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
    assert.is(rule.check(example).length, 1);
  });
}

test('the project keeps every rule', async () => {
  const files = await sources();
  assert.ok(files.length > 100);
  const findings = files.flatMap((file) => RULES.flatMap((rule) => rule.check(file)));
  assert.equal(
    findings.map(({ rule, path, message }) => `${path}: ${rule}: ${message}`),
    [],
  );
});

test.run();
