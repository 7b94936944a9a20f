/** A local runtime on an engine with the actors' images, and what it leaves there. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import Docker from 'dockerode';
import { executionId } from '../../shared/ids/ids.ts';
import type { Processor } from '../../shared/plan/registry.ts';
import { type LocalOptions, type LocalRuntime, openLocalRuntime } from '../../shared/runtime/drivers/local/local.ts';
import type { Assignment, RunResult } from '../../shared/runtime/runtime.ts';
import { concealed } from '../../shared/secrets/secret-value.ts';
import { type RunningDocker, startDocker } from '../harness/servers/index.ts';
import { loadActors } from './local-images.ts';

export interface LocalUnderTest<D extends RunningDocker = RunningDocker> {
  readonly docker: D;
  /** The bare client of the same engine. */
  readonly engine: Docker;
  readonly runtime: LocalRuntime;
  readonly stateDir: string;
  /** Another runtime of the same deployment, as a restarted dispatcher has it. */
  another(options?: Partial<LocalOptions>): Promise<LocalRuntime>;
  /** Names of its containers and networks, and how many of its volumes there are. */
  left(): Promise<{ readonly containers: string[]; readonly networks: string[]; readonly volumes: number }>;
  stop(): Promise<void>;
}

const LABEL = 'dev.isomorph.instance';

export async function localUnderTest(options?: Partial<LocalOptions>): Promise<LocalUnderTest>;
export async function localUnderTest<D extends RunningDocker>(
  options: Partial<LocalOptions>,
  start: () => Promise<D>,
): Promise<LocalUnderTest<D>>;
export async function localUnderTest(
  options: Partial<LocalOptions> = {},
  start: () => Promise<RunningDocker> = startDocker,
): Promise<LocalUnderTest> {
  const docker = await start();
  await loadActors(docker.dockerHost);
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'isomorph-local-'));
  const engine = new Docker({ socketPath: docker.socketPath });
  const instance = createHash('sha256').update(stateDir).digest('hex').slice(0, 8);
  const filters = { label: [`${LABEL}=${instance}`] };
  const opened: LocalRuntime[] = [];
  const another = async (changes: Partial<LocalOptions> = {}): Promise<LocalRuntime> => {
    const { dockerHost } = docker;
    const runtime = await openLocalRuntime({ stateDir, dockerHost, relayImage: RELAY_IMAGE, ...options, ...changes });
    opened.push(runtime);
    return runtime;
  };
  return {
    docker,
    engine,
    runtime: await another(),
    stateDir,
    another,
    async left() {
      const containers = await engine.listContainers({ all: true, filters });
      const networks = await engine.listNetworks({ filters });
      const volumes = await engine.listVolumes({ filters: { label: filters.label } });
      return {
        containers: containers.map(({ Names }) => (Names[0] ?? '').slice(1)).sort(),
        networks: networks.map(({ Name }) => Name),
        volumes: volumes.Volumes?.length ?? 0,
      };
    },
    async stop() {
      for (const runtime of opened) await runtime.close();
      const containers = await engine.listContainers({ all: true, filters });
      await Promise.all(containers.map(({ Id }) => engine.getContainer(Id).remove({ force: true, v: true })));
      await docker.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

const RELAY_IMAGE = 'isomorph/base-node:offline';

let count = 0;

/** An execution of its own that does what `params` say. */
export function assignmentOf(
  processor: Processor,
  params: Record<string, unknown> = {},
  more: Partial<Assignment> = {},
): Assignment {
  count += 1;
  const [planId, stepId] = ['local', `step-${count}`];
  const id = executionId(planId, stepId, 1);
  const deadlineMs = more.deadlineMs ?? Date.now() + 60_000;
  const job = {
    v: 1 as const,
    plan_id: planId,
    step_id: stepId,
    execution_id: id,
    attempt: 1,
    processor: processor.ref,
    params,
    inputs: {},
    outputs: {},
    deadline: new Date(deadlineMs).toISOString(),
  };
  // As the dispatcher grants them.
  const secrets = concealed(more.secrets ?? {});
  return { executionId: id, processor, job, deadlineMs, ...more, secrets };
}

export const textOf = ({ log }: RunResult): string => Buffer.from(log).toString('utf8');

/** The JSON behind the log line that begins with a word. */
export function said<T>(result: RunResult, word: string): T {
  const line = textOf(result)
    .split('\n')
    .find((one) => one.startsWith(`${word} `));
  if (line === undefined) throw new Error(`no ${word}: ${JSON.stringify(result.outcome)} ${textOf(result)}`);
  return JSON.parse(line.slice(word.length + 1)) as T;
}
