import { createHash, randomBytes } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import type { Environment } from '../../../ledger/events.ts';
import type { Processor } from '../../../plan/registry.ts';
import type { Report } from '../../contract.ts';
import type { Assignment, RunHandle, RunResult, RuntimeAdapter } from '../../runtime.ts';
import { containerSpec, LABELS, type NetworkGrant } from './container-spec.ts';
import { type Engine, isDown, isNameTaken, openEngine, patiently, statusOf } from './engine.ts';
import { type Attached, endedWithout, follow, stopContainer } from './follow.ts';
import { Images, type LocalImage } from './images.ts';
import { Stops } from './stops.ts';

export interface LocalOptions {
  /** Folder for what must outlive this process; the engine must see it under the same path. */
  readonly stateDir: string;
  /** As in `DOCKER_HOST`, which it overrides; only `unix://`. */
  readonly dockerHost?: string;
  /** Names the deployment on its engine, `[a-z0-9]`; by default it follows from `stateDir`. */
  readonly instance?: string;
  /** For how long beyond a deadline an engine that does not answer is waited for. Default: a minute. */
  readonly enginePatienceMs?: number;
  /** For how long whoever created a container may take to start it. Default: a minute. */
  readonly startGraceMs?: number;
}

const MINUTE_MS = 60_000;

const instanceOf = ({ instance, stateDir }: LocalOptions): string =>
  instance ?? createHash('sha256').update(path.resolve(stateDir)).digest('hex').slice(0, 8);

/** A run that this process follows. */
interface Run {
  readonly watches: Set<(report: Report) => void>;
  readonly result: Promise<RunResult>;
  hasEnded(): boolean;
}

/** What a start gave: a container to follow, or an end at once. */
type Started =
  | { readonly containerId: string; readonly isBoot: boolean; readonly attached?: Attached }
  | { readonly result: RunResult };

/** Runs processors in hardened containers through the Docker Engine API (docs/local-runtime.md). */
export class LocalRuntime implements RuntimeAdapter {
  readonly adapter = 'local';
  readonly #engine: Engine;
  readonly #images: Images;
  readonly #stops: Stops;
  readonly #instance: string;
  readonly #patienceMs: number;
  readonly #startGraceMs: number;
  readonly #runs = new Map<string, Promise<Run | undefined>>();
  /** Identity of the image that ran last under each reference: what a receipt must say, whatever the name means now. */
  readonly #ran = new Map<string, string>();
  #about: ReturnType<Engine['about']> | undefined;

  constructor(engine: Engine, options: LocalOptions) {
    this.#engine = engine;
    this.#images = new Images(engine);
    this.#stops = new Stops(options.stateDir);
    this.#instance = instanceOf(options);
    this.#patienceMs = options.enginePatienceMs ?? MINUTE_MS;
    this.#startGraceMs = options.startGraceMs ?? MINUTE_MS;
  }

  async run(assignment: Assignment, onReport?: (report: Report) => void): Promise<RunHandle> {
    const { executionId, deadlineMs } = assignment;
    const watches = new Set(onReport === undefined ? [] : [onReport]);
    const begin = async (): Promise<Run> =>
      this.#begun(executionId, deadlineMs, watches, await this.#start(assignment));
    const run = await this.#once(executionId, begin);
    if (run === undefined) throw new IsomorphError('ERR_INTERNAL', `${executionId} was begun and is not there`);
    return handleOf(executionId, run, onReport);
  }

  async find(
    executionId: string,
    deadlineMs: number,
    onReport?: (report: Report) => void,
  ): Promise<RunHandle | undefined> {
    const watches = new Set(onReport === undefined ? [] : [onReport]);
    const run = await this.#once(executionId, async () => {
      const found = await this.#existing(executionId);
      return found === undefined ? undefined : this.#begun(executionId, deadlineMs, watches, found);
    });
    return run === undefined ? undefined : handleOf(executionId, run, onReport);
  }

  async kill(executionId: string): Promise<void> {
    const run = await this.#runs.get(executionId);
    // It ended, though its container may still be on its way out.
    if (run?.hasEnded() === true) return;
    const target = { engine: this.#engine, stops: this.#stops, executionId, containerId: this.#name(executionId) };
    await this.#patiently(() => stopContainer(target, 'killed'));
  }

  async forget(executionId: string): Promise<void> {
    this.#runs.delete(executionId);
    await this.#patiently(() => this.#engine.remove(this.#name(executionId)));
    await this.#stops.forget(executionId);
  }

  async environment(processor: Processor, secretNames: readonly string[]): Promise<Environment> {
    const [digest, { version }] = await Promise.all([this.#digest(processor), this.#engineFacts()]);
    const { cpu, memory_gb, timeout_s, gpu } = processor.runtime;
    return {
      adapter: this.adapter,
      image: processor.image,
      image_digest: digest,
      cpu,
      memory_gb,
      timeout_s,
      ...(gpu === undefined ? {} : { gpu }),
      region: 'local',
      present_env_keys: [...secretNames].sort(),
      versions: { engine: version, os: `linux-${os.arch()}` },
    };
  }

  /** Runs go on: they are taken up again by the next process. */
  async close(): Promise<void> {}

  #name(executionId: string): string {
    return `iso-${executionId}-${this.#instance}`;
  }

  #patiently<T>(call: () => Promise<T>): Promise<T> {
    return patiently(Date.now() + this.#patienceMs, call);
  }

  /** One run of an execution in this process, however often it is asked for. */
  #once(executionId: string, begin: () => Promise<Run | undefined>): Promise<Run | undefined> {
    const known = this.#runs.get(executionId);
    if (known !== undefined) return known;
    const run = begin();
    this.#runs.set(executionId, run);
    const forget = (): void => {
      if (this.#runs.get(executionId) === run) this.#runs.delete(executionId);
    };
    run.then((one) => one ?? forget(), forget);
    return run;
  }

  #begun(executionId: string, deadlineMs: number, watches: Run['watches'], started: Started): Run {
    if ('result' in started) return { watches, result: Promise.resolve(started.result), hasEnded: () => true };
    const { containerId, isBoot, attached } = started;
    let hasEnded = false;
    const followed = follow(
      {
        engine: this.#engine,
        stops: this.#stops,
        executionId,
        containerId,
        deadlineMs,
        isBoot,
        patienceMs: this.#patienceMs,
        startGraceMs: this.#startGraceMs,
        onReport: (report) => {
          for (const watch of watches) watch(report);
        },
      },
      attached,
    );
    const result = followed.finally(() => {
      hasEnded = true;
    });
    return { watches, result, hasEnded: () => hasEnded };
  }

  /** The container of an execution that somebody started, or is starting. */
  async #existing(executionId: string): Promise<Started | undefined> {
    const view = await this.#patiently(() => this.#engine.inspect(this.#name(executionId)));
    if (view === undefined) return undefined;
    const image = await this.#patiently(() => this.#images.byId(view.imageId));
    return { containerId: view.id, isBoot: image?.isBoot ?? false };
  }

  async #start(assignment: Assignment): Promise<Started> {
    const { executionId, processor } = assignment;
    try {
      const image = await this.#patiently(() => this.#images.resolve(processor));
      this.#ran.set(processor.image, image.identity);
      return await this.#patiently(() => this.#startCold(assignment, image));
    } catch (error) {
      // Whoever ran it before may have had what is not there any more.
      const existing = await this.#existing(executionId).catch(() => undefined);
      return existing ?? { result: notStarted(processor, error) };
    }
  }

  /** Creates, hands over the job, starts. Safe to repeat: the name of the container is a lock. */
  async #startCold(assignment: Assignment, image: LocalImage): Promise<Started> {
    const { executionId, processor, secrets, deadlineMs, job } = assignment;
    const { cpus } = await this.#engineFacts();
    const network: NetworkGrant = { kind: 'none' };
    const labels = {
      [LABELS.instance]: this.#instance,
      [LABELS.role]: 'processor',
      [LABELS.execution]: executionId,
      [LABELS.attempt]: String(job.attempt),
      [LABELS.processor]: processor.ref,
      [LABELS.deadline]: new Date(deadlineMs).toISOString(),
      [LABELS.timeout]: String(processor.runtime.timeout_s),
    };
    const spec = containerSpec({ image, processor, secrets, labels, network, cpus });
    const containerId = await this.#create(this.#name(executionId), spec);
    const { isBoot } = image;
    if (containerId === undefined) return (await this.#existing(executionId)) ?? this.#startCold(assignment, image);
    const nonce = randomBytes(16).toString('hex');
    const stream = await this.#engine.attach(containerId).catch(async (error: unknown) => {
      // It was not started, and is not going to be: the next try makes another.
      await this.#patiently(() => this.#engine.remove(containerId));
      throw error;
    });
    stream.on('error', () => undefined);
    // Before the start, so that a container that was started has its job, whatever becomes of us.
    stream.end(`${JSON.stringify(isBoot ? { ...job, secrets, nonce } : job)}\n`);
    await this.#engine.start(containerId).catch(async (error: unknown) => {
      // Without an answer it may have been started: it is followed, and the engine says.
      if (!isDown(error)) throw error;
    });
    return { containerId, isBoot, attached: { stream, nonce } };
  }

  /** @returns undefined when somebody else's container has the name */
  async #create(name: string, spec: Parameters<Engine['create']>[1]): Promise<string | undefined> {
    try {
      return await this.#engine.create(name, spec);
    } catch (error) {
      if (!isNameTaken(error)) throw error;
    }
    const view = await this.#engine.inspect(name);
    if (view?.status !== 'created' || Date.now() < view.createdMs + this.#startGraceMs) return undefined;
    // Whoever created it is no more. Without force: if it is started now after all, it stays.
    await this.#engine.remove(view.id, { force: false }).catch(async (error: unknown) => {
      if (statusOf(error) !== 409) throw error;
    });
    return undefined;
  }

  async #digest(processor: Processor): Promise<string> {
    const ran = this.#ran.get(processor.image);
    if (ran !== undefined) return ran;
    try {
      return (await this.#images.resolve(processor)).identity;
    } catch (error) {
      if (error instanceof IsomorphError) return '';
      throw error;
    }
  }

  #engineFacts(): ReturnType<Engine['about']> {
    const about = this.#about ?? this.#engine.about();
    this.#about = about;
    about.catch(() => {
      this.#about = undefined;
    });
    return about;
  }
}

function handleOf(executionId: string, run: Run, onReport?: (report: Report) => void): RunHandle {
  if (onReport !== undefined) run.watches.add(onReport);
  return { executionId, wait: () => run.result };
}

function notStarted({ ref }: Processor, error: unknown): RunResult {
  const message = error instanceof Error ? error.message.trim() : String(error);
  const reason = message.includes(ref) ? message : `${ref}: ${message}`;
  // `ERR_START` is what the outcome itself means; anything else is told as a processor tells its errors.
  const told =
    error instanceof IsomorphError && error.code !== 'ERR_START'
      ? ({ isomorph: 'error', code: error.code, message: reason, retryable: false } as const)
      : undefined;
  return endedWithout({ kind: 'not_started', reason }, reason, told);
}

/** @throws ERR_CONFIG when `DOCKER_HOST` is malformed; an engine that does not answer shows in the runs */
export async function openLocalRuntime(options: LocalOptions): Promise<LocalRuntime> {
  return new LocalRuntime(await openEngine(options.dockerHost), options);
}
