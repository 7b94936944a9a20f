import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Fault, fault, IsomorphError } from '../errors/isomorph-error.ts';
import { processorSizeFaults } from '../plan/largest.ts';
import { type Policy, PolicySchema, type Processor, ProcessorSchema } from '../plan/registry.ts';
import { compileSchema } from '../schema/user-schema.ts';
import { type Validated, validator } from '../schema/validate.ts';
import { readYaml } from '../schema/yaml-text.ts';
import { plural } from '../text/plural.ts';

export interface Registry {
  readonly processors: ReadonlyMap<string, Processor>;
  readonly policies: ReadonlyMap<string, Policy>;
}

/** A fault of a registry file, with the file it is in. */
export interface RegistryFault extends Fault {
  readonly file: string;
}

const validateProcessor = validator(ProcessorSchema, 'ERR_SCHEMA');
const validatePolicy = validator(PolicySchema, 'ERR_SCHEMA');

/** Checks that the schema of params is one that can be judged by: a broken one would refuse every plan. */
function paramsFaults(processor: Processor): readonly Fault[] {
  const compiled = compileSchema(processor.inputs.params, 'ERR_SCHEMA', '/inputs/params');
  return compiled.ok ? [] : compiled.faults;
}

/** What no schema says: whether it can be used, and whether what it does can be written. */
const processorFaults = (processor: Processor): Fault[] => [
  ...paramsFaults(processor),
  ...processorSizeFaults(processor),
];

async function readFolder<T>(
  folder: string,
  validate: (value: unknown) => Validated<T>,
  extra: (value: T) => readonly Fault[],
): Promise<{ values: T[]; faults: RegistryFault[] }> {
  const values: T[] = [];
  const faults: RegistryFault[] = [];
  const names = (await readdir(folder)).filter((name) => /\.ya?ml$/.test(name)).sort();
  for (const name of names) {
    const file = path.join(folder, name);
    const parsed = readYaml(await readFile(file, 'utf8'));
    const result = parsed.ok ? validate(parsed.value) : parsed;
    const found = result.ok ? extra(result.value) : result.faults;
    faults.push(...found.map((one) => ({ ...one, file })));
    if (result.ok && found.length === 0) values.push(result.value);
  }
  return { values, faults };
}

function byKey<T>(values: readonly T[], keyOf: (value: T) => string, faults: RegistryFault[], folder: string) {
  const map = new Map<string, T>();
  for (const value of values) {
    const key = keyOf(value);
    if (map.has(key)) faults.push({ ...fault('ERR_SCHEMA', `${key} is defined twice`), file: folder });
    map.set(key, value);
  }
  return map;
}

/** Reads `processors/*.yaml` and `policies/*.yaml` below `root`, with every fault of every file. */
export async function readRegistry(root: string): Promise<{ registry: Registry; faults: RegistryFault[] }> {
  const processorsFolder = path.join(root, 'processors');
  const policiesFolder = path.join(root, 'policies');
  const processors = await readFolder(processorsFolder, validateProcessor, processorFaults);
  const policies = await readFolder(policiesFolder, validatePolicy, () => []);
  const faults = [...processors.faults, ...policies.faults];
  const registry = {
    processors: byKey(processors.values, (processor) => processor.ref, faults, processorsFolder),
    policies: byKey(policies.values, (policy) => policy.name, faults, policiesFolder),
  };
  return { registry, faults };
}

/**
 * The registry, all of it valid.
 * @throws ERR_CONFIG with every fault, each with its file and place.
 */
export async function loadRegistry(root: string): Promise<Registry> {
  let result: Awaited<ReturnType<typeof readRegistry>>;
  try {
    result = await readRegistry(root);
  } catch (error) {
    throw new IsomorphError('ERR_CONFIG', `the registry at ${root} cannot be read`, {}, error);
  }
  if (result.faults.length === 0) return result.registry;
  const lines = result.faults.map(
    ({ file, pointer = '', message, expected }) =>
      `  ${file}${pointer === '' ? '' : `#${pointer}`}: ${message}${expected === undefined ? '' : ` (expected ${expected})`}`,
  );
  throw new IsomorphError(
    'ERR_CONFIG',
    `the registry has ${plural(result.faults.length, 'fault')}:\n${lines.join('\n')}`,
  );
}
