import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type Type from 'typebox';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { processorFolder } from '../../shared/ids/ids.ts';
import { type Plan, PlanSchema } from '../../shared/plan/plan.ts';
import { PolicySchema, type Processor, ProcessorSchema, withDefaults } from '../../shared/plan/registry.ts';
import { validator } from '../../shared/schema/validate.ts';
import { suite } from '../harness/suite.ts';
import { file } from './run-processor.ts';

const test = suite('registry files');
const read = (path: string): Promise<string> => readFile(file(path), 'utf8');

async function yamlOf<S extends Type.TSchema>(schema: S, path: string): Promise<Type.Static<S>> {
  const document = validator(schema, 'ERR_SCHEMA')(parse(await read(path)));
  if (document.ok) return document.value;
  throw new Error(`${path}: ${JSON.stringify(document.faults)}`);
}

async function processors(): Promise<Map<string, Processor>> {
  const files = (await readdir(file('registry/processors'))).filter((name) => name.endsWith('.yaml'));
  const all = await Promise.all(files.map((name) => yamlOf(ProcessorSchema, `registry/processors/${name}`)));
  all.forEach(({ ref }, index) => {
    assert.is(files[index], `${processorFolder(ref)}.yaml`);
  });
  return new Map(all.map((processor) => [processor.ref, withDefaults(processor)]));
}

test('every processor has a folder with what its registry file promises', async () => {
  const registry = await processors();
  assert.ok(registry.size >= 4);
  for (const [ref, { entrypoint, inputs, runtime }] of registry) {
    const folder = `processors/${processorFolder(ref)}`;
    const names = await readdir(file(folder));
    const language = entrypoint[0] === 'node' ? 'node' : 'python';
    const manifests = language === 'node' ? ['package.json'] : [];
    for (const name of ['Dockerfile', ...manifests, entrypoint[1] ?? ''])
      assert.ok(names.includes(name), `${folder}/${name}`);
    new Ajv2020({ strict: true, allowUnionTypes: true }).compile(inputs.params);
    const dockerfile = await read(`${folder}/Dockerfile`);
    assert.not.match(dockerfile, /^# syntax=|<<|--link/m);
    const base = language === 'node' ? /^FROM node:22-slim$/m : /^FROM python:3\.13-slim$/m;
    // CUDA comes with a base of its own, named by its exact version.
    assert.match(dockerfile, runtime.gpu === undefined ? base : /^FROM nvidia\/cuda:\d+\.\d+\.\d+-\S+$/m);
  }
});

/** The files a program consists of, and the packages they name. */
async function importsOf(path: string, seen = new Map<string, string[]>()): Promise<Map<string, string[]>> {
  if (seen.has(path)) return seen;
  const names = [...(await read(path)).matchAll(/^(?:import|export) (?!type )[^;]*?from '([^']+)'/gm)].map(
    ([, name = '']) => name,
  );
  seen.set(
    path,
    names.filter((name) => !name.startsWith('.') && !name.startsWith('node:')),
  );
  for (const name of names.filter((candidate) => candidate.startsWith('.')))
    await importsOf(join(path, '..', name), seen);
  return seen;
}

test('a processor declares every package that its program imports', async () => {
  for (const [ref, { entrypoint }] of await processors()) {
    const folder = processorFolder(ref);
    if (entrypoint[0] !== 'node') continue;
    const manifest = JSON.parse(await read(`processors/${folder}/package.json`));
    for (const [path, packages] of await importsOf(`processors/${folder}/${entrypoint[1]}`)) {
      for (const name of packages) {
        const declared = name.startsWith('@') ? name : (name.split('/')[0] ?? name);
        assert.ok(manifest.dependencies?.[declared], `${path} imports ${name}`);
      }
    }
  }
});

test('the default policy keeps plans below their own prefix', async () => {
  const policy = await yamlOf(PolicySchema, 'registry/policies/default.yaml');
  assert.equal(policy.write, ['/artifacts/outputs/{plan_id}/**']);
  assert.is(policy.max_budget_usd_micro, 10_000_000);
});

test('the penguin plan names what the registry has and can pay for it', async () => {
  const registry = await processors();
  const plan: Plan = await yamlOf(PlanSchema, 'examples/penguins/plan.yaml');
  let most = 0;
  for (const step of plan.steps) {
    const processor = registry.get(step.processor);
    assert.ok(processor, step.processor);
    const valid = new Ajv2020({ strict: false }).compile(processor.inputs.params);
    assert.ok(valid(step.params ?? {}), JSON.stringify(valid.errors));
    const given = Object.keys(step.inputs ?? {});
    const known = Object.entries(processor.inputs.artifacts);
    assert.ok(given.every((name) => known.some(([input]) => input === name)));
    assert.ok(known.every(([name, { required }]) => !required || given.includes(name)));
    for (const input of Object.values(step.inputs ?? {})) {
      if (typeof input === 'string') continue;
      const source = plan.steps.find(({ id }) => id === input.step);
      const outputs = registry.get(source?.processor ?? '')?.outputs ?? [];
      assert.ok(
        outputs.some(({ path }) => path === input.output),
        `${step.id}: ${input.output}`,
      );
    }
    const { usd_micro_fixed, usd_micro_per_s } = processor.cost;
    most += (usd_micro_fixed + usd_micro_per_s * processor.runtime.timeout_s) * (step.retry?.max_attempts ?? 1);
  }
  assert.ok(most <= plan.budget.limit_usd_micro, `${most} could be spent`);
});

test('the contract shows the examples as they are', async () => {
  const contract = await read('docs/processor-contract.md');
  assert.ok(contract.includes(await read('examples/contract-python/processor.py')));
  const typescript = await read('examples/contract-typescript/processor.ts');
  assert.ok(contract.includes(typescript.replace('../../processors/sdk/', '../sdk/')));
  for (const [, yaml = ''] of contract.matchAll(/```yaml\n(.*?)```/gs))
    assert.ok(validator(ProcessorSchema, 'ERR_SCHEMA')(parse(yaml)).ok);
});

/** A function or class of a Python file, without what differs by house rule: the name's leading underscore. */
function definition(text: string, name: string): string {
  const found = new RegExp(`^(?:def|class) _?${name}\\b[^]*?(?=\\n\\n\\n|$(?![^]))`, 'm').exec(text)?.[0];
  if (found === undefined) throw new Error(`no ${name}`);
  return found.trim().replace(/^def _/, 'def ');
}

test('what Python processors do alike they do with the same lines (ADR 69)', async () => {
  const stats = await read('processors/text_stats/processor.py');
  const contract = await read('processors/media_multitalk/contract.py');
  const failures = await read('processors/media_multitalk/failures.py');
  for (const name of ['report', 'read_job', 'refusal_code']) {
    assert.is(definition(contract, name), definition(stats, name), name);
  }
  assert.is(definition(failures, 'Failure'), definition(stats, 'Failure'));
});

test.run();
