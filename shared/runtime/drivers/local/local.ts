import { createHash } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { parseImageReference } from '../../../ids/image-reference.ts';
import type { Environment } from '../../../ledger/events.ts';
import type { Processor } from '../../../plan/registry.ts';
import type { Report } from '../../contract.ts';
import { fingerprint } from '../../fingerprint.ts';
import { endedWithout } from '../../outcome.ts';
import { RUN_LIMITS, type RunLimits } from '../../run-limits.ts';
import type { Assignment, RunHandle, RunResult, RuntimeAdapter, Sought } from '../../runtime.ts';
import { type Engine, openEngine, patiently } from './engine.ts';
import { followContainer, stopContainer } from './follow.ts';
import { Grants, RELAY_CONNECTIONS } from './grants.ts';
import { Images } from './images.ts';
import { Launcher, type StartedContainer } from './launcher.ts';
import type { LocalOptions } from './options.ts';
import { Pool } from './pool.ts';
import { Reaper } from './reaper.ts';
import { Relays } from './relays.ts';
import { Stops } from './stops.ts';

export type { LocalOptions } from './options.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** How often the pool is tended and the engine swept. */
const TEND_EVERY_MS = 20_000;
const PARKED_MAX_AGE_MS = 10 * MINUTE_MS;
const PARKED = 4;
const SCRATCH_BYTES = 2 ** 30;

const instanceOf = ({ instance, stateDir }: LocalOptions): string =>
  instance ?? createHash('sha256').update(path.resolve(stateDir)).digest('hex').slice(0, 8);

/** A run that this process follows. */
interface Run {
  readonly watches: Set<(report: Report) => void>;
  readonly result: Promise<RunResult>;
  hasEnded(): boolean;
}

/** Runs processors in hardened containers through the Docker Engine API (docs/local-runtime.md). */
export class LocalRuntime implements RuntimeAdapter {
  readonly adapter = 'local';
  readonly #engine: Engine;
  readonly #images: Images;
  readonly #stops: Stops;
  readonly #grants: Grants;
  readonly #launcher: Launcher;
  readonly #pool: Pool;
  readonly #reaper: Reaper;
  readonly #timer: NodeJS.Timeout;
  readonly #patienceMs: number;
  readonly #startGraceMs: number;
  readonly #limits: RunLimits;
  readonly #runs = new Map<string, Promise<Run | undefined>>();
  /** Identity of the image that ran last under each reference: what a receipt must say, whatever the name means now. */
  readonly #ran = new Map<string, string>();
  #about: ReturnType<Engine['about']> | undefined;

  constructor(engine: Engine, options: LocalOptions) {
    this.#engine = engine;
    this.#images = new Images(engine);
    this.#stops = new Stops(options.stateDir);
    this.#limits = options.limits ?? RUN_LIMITS;
    this.#grants = new Grants(options.stateDir, options.endpoints ?? [], {
      most: options.relayConnections ?? RELAY_CONNECTIONS,
      tell: this.#limits.tell,
    });
    this.#patienceMs = options.enginePatienceMs ?? MINUTE_MS;
    this.#startGraceMs = options.startGraceMs ?? MINUTE_MS;
    const shared = { engine, instance: instanceOf(options), startGraceMs: this.#startGraceMs };
    const perKind = options.parked ?? PARKED;
    const parkedMaxAgeMs = options.reap?.parkedMaxAgeMs ?? PARKED_MAX_AGE_MS;
    const pool = new Pool({
      ...shared,
      perKind,
      inAll: 2 * perKind,
      maxAgeMs: parkedMaxAgeMs,
      idleMs: options.parkedIdleMs ?? MINUTE_MS,
    });
    const relayImage = options.relayImage === undefined ? {} : { relayImage: options.relayImage };
    this.#launcher = new Launcher({
      ...shared,
      images: this.#images,
      grants: this.#grants,
      relays: new Relays({ ...shared, ...relayImage }),
      pool,
      scratchBytes: options.scratchBytes ?? SCRATCH_BYTES,
      cpus: async () => (await this.#engineFacts()).cpus,
    });
    this.#reaper = new Reaper({
      ...shared,
      overdueMs: MINUTE_MS,
      keptEndedMs: DAY_MS,
      ...options.reap,
      parkedMaxAgeMs,
      stops: this.#stops,
      isOwnParked: (id) => pool.owns(id),
      executionOf: (name) => this.#launcher.executionOf(name),
    });
    this.#pool = pool;
    const tend = (): void => {
      // An engine that does not answer now is swept the next time.
      void this.tend().catch(() => undefined);
    };
    tend();
    this.#timer = setInterval(tend, TEND_EVERY_MS).unref();
  }

  /**
   * Parks what demand asks for, and removes what dispatchers of this deployment that were killed left behind; also done at the
   * start and periodically.
   */
  async tend(): Promise<void> {
    await Promise.all([this.#pool.tend(), this.#reaper.sweep()]);
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

  async find({ executionId, deadlineMs }: Sought, onReport?: (report: Report) => void): Promise<RunHandle | undefined> {
    const watches = new Set(onReport === undefined ? [] : [onReport]);
    const run = await this.#once(executionId, async () => {
      const found = await this.#patiently(() => this.#launcher.existing(executionId));
      return found === undefined ? undefined : this.#begun(executionId, deadlineMs, watches, found);
    });
    return run === undefined ? undefined : handleOf(executionId, run, onReport);
  }

  async kill(executionId: string): Promise<void> {
    const run = await this.#runs.get(executionId);
    // It ended, though its container may still be on its way out.
    if (run?.hasEnded() === true) return;
    const target = {
      engine: this.#engine,
      stops: this.#stops,
      executionId,
      containerId: this.#launcher.nameOf(executionId),
    };
    await this.#patiently(() => stopContainer(target, 'killed'));
  }

  async forget(executionId: string): Promise<void> {
    this.#runs.delete(executionId);
    await this.#patiently(() => this.#launcher.remove(executionId));
    await this.#stops.forget(executionId);
  }

  async environment(processor: Processor, secretNames: readonly string[]): Promise<Environment> {
    const [digest, { version }] = await Promise.all([this.#digest(processor), this.#engineFacts()]);
    return fingerprint(processor, secretNames, {
      adapter: this.adapter,
      image_digest: digest,
      region: 'local',
      versions: { engine: version, os: `linux-${os.arch()}` },
    });
  }

  async pinImage(image: string): Promise<string | undefined> {
    try {
      const { pin } = await this.#images.resolve({ ref: 'a processor', image });
      return `${parseImageReference(image).name}@${pin}`;
    } catch (error) {
      // It is not there yet, or not the one that is pinned: the run will tell.
      if (error instanceof IsomorphError) return undefined;
      throw error;
    }
  }

  /** Runs go on: they are taken up again by the next process. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#launcher.close();
    await this.#grants.close();
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

  #begun(executionId: string, deadlineMs: number, watches: Run['watches'], started: StartedContainer | RunResult): Run {
    if ('outcome' in started) return { watches, result: Promise.resolve(started), hasEnded: () => true };
    const { containerId, isBoot, attached } = started;
    let hasEnded = false;
    const followed = followContainer(
      {
        engine: this.#engine,
        stops: this.#stops,
        executionId,
        containerId,
        deadlineMs,
        isBoot,
        patienceMs: this.#patienceMs,
        startGraceMs: this.#startGraceMs,
        limits: this.#limits,
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

  async #start(assignment: Assignment): Promise<StartedContainer | RunResult> {
    const { executionId, processor } = assignment;
    try {
      const image = await this.#patiently(() => this.#images.resolve(processor));
      this.#ran.set(processor.image, image.identity);
      return await this.#patiently(() => this.#launcher.start(assignment, image));
    } catch (error) {
      // Whoever ran it before may have had what is not there any more.
      const existing = await this.#launcher.existing(executionId).catch(() => undefined);
      return existing ?? notStarted(processor, error);
    }
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
  return endedWithout({ kind: 'not_started', reason }, { error: told });
}

/** @throws ERR_CONFIG when `DOCKER_HOST` is malformed; an engine that does not answer shows in the runs, unless `connect` asks */
export async function openLocalRuntime(
  options: LocalOptions,
  connect?: Parameters<typeof openEngine>[1],
): Promise<LocalRuntime> {
  return new LocalRuntime(await openEngine(options.dockerHost, connect), options);
}
