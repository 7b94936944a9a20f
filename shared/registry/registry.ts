import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Fault, fault, IsomorphError } from '../errors/isomorph-error.ts';
import { processorSizeFaults } from '../plan/largest.ts';
import {
  type Policy,
  PolicySchema,
  type Processor,
  type ProcessorFile,
  ProcessorSchema,
  unstartableFaults,
  withDefaults,
} from '../plan/registry.ts';
import type { ReadResult } from '../schema/json-text.ts';
import { compileSchema } from '../schema/user-schema.ts';
import { type Validated, validator } from '../schema/validate.ts';
import { placeInFile, readDocumentBytes } from '../schema/yaml-text.ts';
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
function paramsFaults(processor: ProcessorFile): readonly Fault[] {
  const compiled = compileSchema(processor.inputs.params, 'ERR_SCHEMA', '/inputs/params');
  return compiled.ok ? [] : compiled.faults;
}

/** What no schema says: whether it can be used, and whether what it does can be written. */
const processorFaults = (file: ProcessorFile): Fault[] => [
  ...paramsFaults(file),
  ...unstartableFaults(file),
  ...processorSizeFaults(withDefaults(file)),
];

/** A value with the file it was read from. */
interface Read<T> {
  readonly file: string;
  readonly value: T;
}

const because = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message;

async function readDocument(file: string): Promise<ReadResult<unknown>> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    return { ok: false, faults: [fault('ERR_CONFIG', `it cannot be read: ${because(error)}`)] };
  }
  return readDocumentBytes(bytes, file);
}

async function namesIn(folder: string, faults: RegistryFault[]): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => /\.ya?ml$/.test(name)).sort();
  } catch (error) {
    faults.push({ ...fault('ERR_CONFIG', `the folder cannot be read: ${because(error)}`), file: folder });
    return [];
  }
}

/** What is good in a folder; what is not is a fault of its file and hides no other's. */
async function readFolder<T>(
  folder: string,
  validate: (value: unknown) => Validated<T>,
  extra: (value: T) => readonly Fault[],
  faults: RegistryFault[],
): Promise<Read<T>[]> {
  const good: Read<T>[] = [];
  for (const name of await namesIn(folder, faults)) {
    const file = path.join(folder, name);
    const document = await readDocument(file);
    const result = document.ok ? validate(document.value) : document;
    const found = result.ok ? extra(result.value) : result.faults;
    faults.push(...found.map((one) => ({ ...one, file })));
    if (result.ok && found.length === 0) good.push({ file, value: result.value });
  }
  return good;
}

function byKey<T, K extends keyof T & string>(read: readonly Read<T>[], key: K, faults: RegistryFault[]) {
  const first = new Map<T[K], string>();
  const values = new Map<T[K], T>();
  for (const { file, value } of read) {
    const name = value[key];
    const other = first.get(name);
    if (other !== undefined) {
      const place = { pointer: `/${key}`, expected: 'one file for each' };
      faults.push({ ...fault('ERR_SCHEMA', `${name} is defined in ${other} too`, place), file });
    }
    first.set(name, other ?? file);
    values.set(name, value);
  }
  return values;
}

/** Reads `processors/*.yaml` and `policies/*.yaml` below `root`, with every fault of every file. */
export async function readRegistry(root: string): Promise<{ registry: Registry; faults: RegistryFault[] }> {
  const faults: RegistryFault[] = [];
  const processors = await readFolder(path.join(root, 'processors'), validateProcessor, processorFaults, faults);
  const policies = await readFolder(path.join(root, 'policies'), validatePolicy, () => [], faults);
  const complete = processors.map(({ file, value }) => ({ file, value: withDefaults(value) }));
  const registry = { processors: byKey(complete, 'ref', faults), policies: byKey(policies, 'name', faults) };
  return { registry, faults };
}

/**
 * The registry, all of it valid.
 * @throws ERR_CONFIG with every fault, each with its file and place.
 */
export async function loadRegistry(root: string): Promise<Registry> {
  const { registry, faults } = await readRegistry(root);
  if (faults.length === 0) return registry;
  const lines = faults.map(({ file, pointer = '', message, expected }) => {
    const place = pointer === '' ? file : placeInFile(file, pointer);
    return `  ${place}: ${message}${expected === undefined ? '' : ` (expected ${expected})`}`;
  });
  throw new IsomorphError('ERR_CONFIG', `the registry has ${plural(faults.length, 'fault')}:\n${lines.join('\n')}`);
}
