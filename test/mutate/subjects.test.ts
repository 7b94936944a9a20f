import { access, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.ts';
import { codeOf, impurities, isPure } from '../house/purity.ts';
import type { SourceFile } from '../house/rule.ts';
import { isCore, LEFT_OUT, SUBJECTS } from './subjects.ts';

const test = suite('subjects of the mutants');

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What waits for something is a shell, whatever it imports. */
const WAITS = /\basync\b|\bawait\b/;
/** Types alone leave nothing to mutate. */
const HAS_CODE = /^(export )?(const|function|class)\b/m;

async function filesUnder(folder: string): Promise<SourceFile[]> {
  const entries = await readdir(path.join(ROOT, folder), { recursive: true });
  const paths = entries.filter((file) => file.endsWith('.ts')).map((file) => `${folder}/${file}`);
  return Promise.all(paths.map(async (file) => ({ path: file, text: await readFile(path.join(ROOT, file), 'utf8') })));
}

/** Of these files those that are pure by the rule of the house, with all that they import. */
function pureOf(files: readonly SourceFile[]): string[] {
  const found = new Map(files.filter(({ text }) => !WAITS.test(codeOf(text))).map((file) => [file.path, file]));
  const known = new Set(files.map((file) => file.path));
  const isPureFile = (to: string): boolean => (known.has(to) ? found.has(to) : isPure(to));
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const file of [...found.values()]) if (impurities(file, isPureFile).length > 0) found.delete(file.path);
  }
  return [...found.values()].filter(({ text }) => HAS_CODE.test(text)).map((file) => file.path);
}

test('every pure file of the core is mutated, or says why not', async () => {
  const services = (await filesUnder('services')).filter(
    (file) => /^services\/\w+\//.test(file.path) && !file.path.startsWith('services/common/'),
  );
  const core = (await filesUnder('shared')).filter((file) => isCore(file.path));
  const pure = pureOf([...core, ...services]);
  assert.ok(pure.length > 20);
  assert.equal(
    pure.filter((file) => !SUBJECTS.has(file) && !Object.hasOwn(LEFT_OUT, file)),
    [],
  );
});

test('every decider is mutated', async () => {
  const deciders = (await filesUnder('services'))
    .map((file) => file.path)
    .filter((file) => file.endsWith('/decide.ts'));
  assert.ok(deciders.length >= 5);
  assert.equal(
    deciders.filter((file) => !SUBJECTS.has(file)),
    [],
  );
});

test('subjects, their suites and what is left out exist', async () => {
  const suites = [...SUBJECTS.values()].flat().map((file) => `test/${file}`);
  for (const file of new Set([...SUBJECTS.keys(), ...suites, ...Object.keys(LEFT_OUT)])) {
    await access(path.join(ROOT, file));
  }
});

test('every subject has a suite', () => {
  assert.equal(
    [...SUBJECTS].flatMap(([file, suites]) => (suites.length === 0 ? [file] : [])),
    [],
  );
});

test.run();
