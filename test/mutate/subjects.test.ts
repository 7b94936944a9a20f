import { access, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.ts';
import { LEFT_OUT, SUBJECTS } from './subjects.ts';

const test = suite('subjects of the mutants');

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Pure by the floors of the house. */
const PURE_ROOMS = ['shared/ids', 'shared/ledger', 'shared/plan'];

const IO_PACKAGES = /^(@nats-io\/|@aws-sdk\/|@electric-sql\/|pg$|pino$|ioredis$|modal$|dockerode$|esbuild$)/;
const IO_MODULES = /^(node:)?(fs|net|http|https|child_process|os|stream|timers|worker_threads|dns|tls)(\/|$)/;
/** Clock, randomness, the process, and waiting for something that an argument does. */
const IO_WORDS =
  /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bprocess\.|\bset(Timeout|Interval)\(|\basync\b|\bawait\b/;

const comments = /\/\*[\s\S]*?\*\/|\/\/.*$/gm;

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(path.join(ROOT, folder), { recursive: true });
  return entries.filter((file) => file.endsWith('.ts')).map((file) => `${folder}/${file}`);
}

/** Of these files those that have code of their own, do no I/O and import none, transitively. */
async function pureOf(files: readonly string[]): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [...files],
    bundle: true,
    write: false,
    metafile: true,
    outdir: 'nowhere',
    outbase: '.',
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'error',
  });
  const pure: string[] = [];
  for (const { entryPoint: file = '', imports, inputs } of Object.values(metafile.outputs)) {
    const hasCode = (inputs[file]?.bytesInOutput ?? 0) > 0;
    const text = (await readFile(path.join(ROOT, file), 'utf8')).replace(comments, '');
    const doesIo = imports.some(({ path: to }) => IO_PACKAGES.test(to) || IO_MODULES.test(to)) || IO_WORDS.test(text);
    if (hasCode && !doesIo) pure.push(file);
  }
  return pure;
}

test('every pure file of the core is mutated, or says why not', async () => {
  const services = (await readdir(path.join(ROOT, 'services'), { withFileTypes: true }))
    .filter((entry) => entry.isDirectory() && entry.name !== 'common')
    .map(({ name }) => `services/${name}`);
  const files = (await Promise.all([...PURE_ROOMS, ...services].map(filesUnder))).flat();
  const pure = await pureOf(files);
  assert.ok(pure.length > 20);
  assert.equal(
    pure.filter((file) => !SUBJECTS.has(file) && !Object.hasOwn(LEFT_OUT, file)),
    [],
  );
});

test('every decider is mutated', async () => {
  const deciders = (await filesUnder('services')).filter((file) => file.endsWith('/decide.ts'));
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
