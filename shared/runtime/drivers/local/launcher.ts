import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import type { Processor } from '../../../plan/registry.ts';
import { formatAmount } from '../../../text/amount.ts';
import type { Assignment } from '../../runtime.ts';
import { containerSpec, LABELS, type NetworkGrant, type SpecOptions, scratchBytesOf } from './container-spec.ts';
import { type Engine, isDown, isNameTaken, statusOf } from './engine.ts';
import type { Attached } from './follow.ts';
import type { Grants } from './grants.ts';
import type { Images, LocalImage } from './images.ts';
import type { Pool } from './pool.ts';
import { type Relays, relayNameOf } from './relays.ts';

/** A container to follow. */
export interface StartedContainer {
  readonly containerId: string;
  readonly isBoot: boolean;
  /** Its streams, when this process started it. */
  readonly attached?: Attached;
}

export interface LauncherOptions {
  readonly engine: Engine;
  readonly images: Images;
  readonly grants: Grants;
  readonly relays: Relays;
  readonly pool: Pool;
  /** Names the deployment on its engine. */
  readonly instance: string;
  readonly startGraceMs: number;
  /** CPUs of the engine. */
  readonly cpus: () => Promise<number>;
  /** The largest `scratch_volume_gb`, in bytes: it is memory of the engine's machine. */
  readonly scratchBytes: number;
}

const TEND_AFTER_MS = 200;

/** Writes the job line; standard input ends behind it. The boot module takes out what the processor is not to read. */
export function handOver(stream: Duplex, isBoot: boolean, { job, secrets }: Assignment): Attached {
  const nonce = randomBytes(16).toString('hex');
  // A copy: what the dispatcher grants shows names alone where it is made JSON of.
  const forBoot = { secrets: { ...secrets }, nonce };
  // What a broken stream means is found out by following the container.
  stream.on('error', () => undefined);
  stream.end(`${JSON.stringify(isBoot ? { ...job, ...forBoot } : job)}\n`);
  return { stream, nonce };
}

/** Starts containers of executions. The name of a container is the lock that keeps an execution from running twice. */
export class Launcher {
  readonly #options: LauncherOptions;
  #madeBridge = false;
  #tending: NodeJS.Timeout | undefined;

  constructor(options: LauncherOptions) {
    this.#options = options;
  }

  /** The instance comes last, so that `docker ps --filter name=iso-<execution>` finds it. */
  nameOf(executionId: string): string {
    return `iso-${executionId}-${this.#options.instance}`;
  }

  /** The execution of a container, by its name. */
  executionOf(name: string): string {
    return name.slice('iso-'.length, -this.#options.instance.length - 1);
  }

  /** The container of an execution that somebody started, or is starting. */
  async existing(executionId: string): Promise<StartedContainer | undefined> {
    const { engine, images } = this.#options;
    const view = await engine.inspect(this.nameOf(executionId));
    if (view === undefined) return undefined;
    if (view.status === 'removing' || view.status === 'dead') {
      // Somebody is removing it: this returns when they have.
      await engine.remove(view.id);
      return undefined;
    }
    const image = await images.byId(view.imageId);
    return { containerId: view.id, isBoot: image?.isBoot ?? false };
  }

  /** Starts the container of an execution, or finds it. Safe to repeat. @throws what the engine refuses */
  async start(assignment: Assignment, image: LocalImage): Promise<StartedContainer> {
    this.#checkScratch(assignment.processor);
    const parked = image.isBoot ? await this.#startParked(assignment, image) : undefined;
    const started = parked ?? (await this.#startCold(assignment, image));
    this.#tendSoon();
    return started;
  }

  #checkScratch(processor: Processor): void {
    const [asked, most] = [scratchBytesOf(processor), this.#options.scratchBytes];
    if (asked <= most) return;
    const expected = `at most ${formatAmount(most)}: ISOMORPH_MAX_LOCAL_SCRATCH_BYTES`;
    throw new IsomorphError(
      'ERR_CAPABILITY',
      `a scratch volume of ${formatAmount(asked)} is more than one may have (${expected})`,
      {
        expected,
      },
    );
  }

  /** Starting another container takes what the one that was just started needs: it waits until that has begun. */
  #tendSoon(): void {
    if (this.#tending !== undefined) return;
    this.#tending = setTimeout(() => {
      this.#tending = undefined;
      void this.#options.pool.tend();
    }, TEND_AFTER_MS).unref();
  }

  /** Assigns a container that waits for a job; undefined when none does. */
  async #startParked(assignment: Assignment, image: LocalImage): Promise<StartedContainer | undefined> {
    const { engine, pool } = this.#options;
    const { executionId, processor } = assignment;
    const labels = this.#labels(processor, 'parked');
    const parked = pool.take(await this.#spec({ image, processor, secrets: {}, labels }));
    if (parked === undefined) return undefined;
    const { id, stream } = parked;
    try {
      // The name is the lock: from here on this execution is running, or somebody else runs it.
      if (await engine.rename(id, this.nameOf(executionId))) {
        return { containerId: id, isBoot: true, attached: handOver(stream, true, assignment) };
      }
      await engine.remove(id);
    } catch (error) {
      // Without its standard input it ends by itself, whatever its name is now.
      stream.on('error', () => undefined);
      stream.destroy();
      if (statusOf(error) === undefined) throw error;
    }
    return this.existing(executionId);
  }

  /** Creates, hands over the job, starts. */
  async #startCold(assignment: Assignment, image: LocalImage): Promise<StartedContainer> {
    const { engine } = this.#options;
    const { executionId, processor, secrets, deadlineMs, job } = assignment;
    const name = this.nameOf(executionId);
    const labels = {
      ...this.#labels(processor, 'processor'),
      [LABELS.execution]: executionId,
      [LABELS.attempt]: String(job.attempt),
      [LABELS.deadline]: new Date(deadlineMs).toISOString(),
    };
    const spec = await this.#spec({ image, processor, secrets, labels }, { name, executionId });
    const containerId = await this.#create(name, spec);
    const { isBoot } = image;
    if (containerId === undefined) return (await this.existing(executionId)) ?? this.#startCold(assignment, image);
    const stream = await engine.attach(containerId).catch(async (error: unknown) => {
      // It was not started, and is not going to be: the next try makes another.
      await engine.remove(containerId);
      throw error;
    });
    // Before the start, so that a container that was started has its job, whatever becomes of us.
    const attached = handOver(stream, isBoot, assignment);
    await engine.start(containerId).catch((error: unknown) => {
      // Without an answer it may have been started: it is followed, and the engine says.
      if (!isDown(error)) throw error;
    });
    return { containerId, isBoot, attached };
  }

  /** Removes what is there of an execution. */
  async remove(executionId: string): Promise<void> {
    const name = this.nameOf(executionId);
    // The processor first: nothing may go on in a namespace that lost its holder.
    await this.#options.engine.remove(name);
    await this.#options.engine.remove(relayNameOf(name));
  }

  /** Removes what is parked, and the network of `internet` grants unless something is still on it. */
  async close(): Promise<void> {
    clearTimeout(this.#tending);
    await this.#options.pool.close();
    if (!this.#madeBridge) return;
    // What cannot be removed now is removed when the next runtime that used it closes.
    await this.#options.engine.removeNetwork(this.#bridgeName()).catch(() => undefined);
  }

  #bridgeName(): string {
    return `iso-internet-${this.#options.instance}`;
  }

  #labels({ ref, runtime }: Processor, role: 'processor' | 'parked'): Record<string, string> {
    return {
      [LABELS.instance]: this.#options.instance,
      [LABELS.role]: role,
      [LABELS.processor]: ref,
      [LABELS.timeout]: String(runtime.timeout_s),
    };
  }

  async #spec(
    options: Omit<SpecOptions, 'network' | 'cpus'>,
    relayFor?: { readonly name: string; readonly executionId: string },
  ): Promise<Docker.ContainerCreateOptions> {
    const cpus = await this.#options.cpus();
    const own = await this.#network(options.processor);
    // A relay of ours in the image saves a container that relays.
    if (options.image.isBoot || own.kind !== 'sockets' || relayFor === undefined) {
      return containerSpec({ ...options, network: own, cpus });
    }
    const containerId = await this.#options.relays.ensure({ ...relayFor, grant: own, bridge: own.bridge });
    return containerSpec({ ...options, network: { kind: 'joined', containerId }, cpus });
  }

  /** What the registry file grants. */
  async #network(processor: Processor): Promise<NetworkGrant> {
    const { network } = processor.runtime;
    const { grants } = this.#options;
    if (network === 'none' || (network === 'artifacts' && grants.isEmpty)) return { kind: 'none' };
    const [grant, bridge] = await Promise.all([grants.ensure(), this.#bridge(processor)]);
    return { kind: 'sockets', ...grant, bridge };
  }

  async #bridge({ runtime }: Processor): Promise<string | undefined> {
    if (runtime.network !== 'internet') return undefined;
    const { engine, instance } = this.#options;
    this.#madeBridge = true;
    await engine.ensureNetwork(this.#bridgeName(), { [LABELS.instance]: instance });
    return this.#bridgeName();
  }

  /** @returns undefined when somebody else's container has the name */
  async #create(name: string, spec: Parameters<Engine['create']>[1]): Promise<string | undefined> {
    const { engine, startGraceMs } = this.#options;
    try {
      return await engine.create(name, spec);
    } catch (error) {
      if (!isNameTaken(error)) throw error;
    }
    const view = await engine.inspect(name);
    if (view?.status !== 'created' || Date.now() < view.createdMs + startGraceMs) return undefined;
    // Whoever created it is no more. Without force: if it is started now after all, it stays.
    await engine.remove(view.id, { force: false }).catch((error: unknown) => {
      if (statusOf(error) !== 409) throw error;
    });
    return undefined;
  }
}
