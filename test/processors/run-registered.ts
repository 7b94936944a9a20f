import { readFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { processorFolder } from '../../shared/ids/ids.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import type { Processor } from '../../shared/plan/registry.ts';
import { startTestStack, type TestStack, type TestStackOptions } from '../harness/stack.ts';
import { type ObjectServer, openObjectServer } from './object-server.ts';
import { type Ended, file, jobFor, type RunOptions, runJob } from './run-processor.ts';

export interface Call extends RunOptions {
  readonly inputs?: Record<string, Uint8Array | string>;
  readonly params?: Record<string, unknown>;
  readonly attempt?: number;
  /** Instead of the program of the registry file. */
  readonly program?: string;
  /** Sees the store before the processor does. */
  readonly prepare?: (server: ObjectServer) => void;
  /** The registry file as an operator has changed it. */
  readonly change?: (processor: Processor) => Processor;
}

export interface RegisteredEnd extends Ended {
  /** What was uploaded, by path. */
  readonly outputs: ReadonlyMap<string, Buffer>;
}

/** A registry file of this repository. */
export const registered = async (ref: string): Promise<Processor> =>
  parse(await readFile(file(`registry/processors/${processorFolder(ref)}.yaml`), 'utf8'));

/** Runs a processor with the outputs and the params schema of its registry file; no run may leak a signed URL. */
export async function runRegistered(ref: string, call: Call): Promise<RegisteredEnd> {
  const original = await registered(ref);
  const { entrypoint, inputs, outputs } = call.change?.(original) ?? original;
  const valid = new Ajv2020({ strict: false }).compile(inputs.params);
  if (!valid(call.params ?? {})) assert.unreachable(JSON.stringify(valid.errors));
  const declared = outputs.map(({ path, content_type, max_bytes, required }) => [
    path,
    { type: content_type, required, ...(max_bytes === undefined ? {} : { maxBytes: max_bytes }) },
  ]);
  const server = await openObjectServer();
  try {
    const job = jobFor(server, { ...call, outputs: Object.fromEntries(declared), processor: ref });
    call.prepare?.(server);
    const ended = await runJob(call.program ?? file(`processors/${processorFolder(ref)}/${entrypoint[1]}`), job, call);
    assert.not.match(ended.everything, /sig=/);
    return { ...ended, outputs: new Map([...server.uploads].map(([path, { body }]) => [path, body])) };
  } finally {
    await server.close();
  }
}

/** A stack with the registry and the processors of this repository, on the mock adapter. */
export const startRepositoryStack = (options: TestStackOptions = {}): Promise<TestStack> =>
  startTestStack({
    services: ['admission', 'dispatcher', 'settler', 'sampler'],
    registry: file('registry'),
    processors: file('processors'),
    ...options,
  });

export interface ExampleEnd {
  readonly state: PlanState;
  /** An output by its step and path. */
  bytes(path: string): Promise<Uint8Array>;
}

export interface ExamplePlan {
  plan_id: string;
  steps: { params?: Record<string, unknown> }[];
}

/** Puts the inputs of an example and runs its plan to the end. */
export async function runExample(
  its: TestStack,
  example: string,
  inputs: Readonly<Record<string, Uint8Array>>,
  change: (plan: ExamplePlan) => ExamplePlan = (plan) => plan,
): Promise<ExampleEnd> {
  for (const [worldPath, data] of Object.entries(inputs)) {
    await its.store.putBytes({ worldPath, data, contentType: 'application/octet-stream' });
  }
  const plan = change(parse(await readFile(file(`examples/${example}/plan.yaml`), 'utf8')));
  await its.submit(plan);
  const state = await its.ended(plan.plan_id);
  return {
    state,
    bytes: (path) => its.store.getBytes({ worldPath: `/artifacts/outputs/${plan.plan_id}/${path}` }),
  };
}

/** Why executions failed, as a text for assertions. */
export const failuresOf = (state: PlanState): string =>
  [...state.executions.values()]
    .flatMap(({ executionId, end }) => (end?.status === 'failed' ? [`${executionId}: ${end.code} ${end.message}`] : []))
    .join('\n');
