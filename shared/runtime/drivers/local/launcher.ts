import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Processor } from '../../../plan/registry.ts';
import type { Assignment } from '../../runtime.ts';
import { containerSpec, LABELS, type NetworkGrant } from './container-spec.ts';
import { type Engine, isDown, isNameTaken, statusOf } from './engine.ts';
import type { Attached } from './follow.ts';
import type { Grants } from './grants.ts';
import type { Images, LocalImage } from './images.ts';
import { type Relays, relayNameOf } from './relays.ts';

/** A container to follow. */
export interface Started {
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
  /** Names the deployment on its engine. */
  readonly instance: string;
  readonly startGraceMs: number;
  /** CPUs of the engine. */
  readonly cpus: () => Promise<number>;
}

/** Writes the job line; standard input ends behind it. The boot module takes out what the processor is not to read. */
export function handOver(stream: Duplex, isBoot: boolean, { job, secrets }: Assignment): Attached {
  const nonce = randomBytes(16).toString('hex');
  // What a broken stream means is found out by following the container.
  stream.on('error', () => undefined);
  stream.end(`${JSON.stringify(isBoot ? { ...job, secrets, nonce } : job)}\n`);
  return { stream, nonce };
}

/** Starts containers of executions. The name of a container is the lock that keeps an execution from running twice. */
export class Launcher {
  readonly #options: LauncherOptions;

  constructor(options: LauncherOptions) {
    this.#options = options;
  }

  /** The instance comes last, so that `docker ps --filter name=iso-<execution>` finds it. */
  nameOf(executionId: string): string {
    return `iso-${executionId}-${this.#options.instance}`;
  }

  /** The container of an execution that somebody started, or is starting. */
  async existing(executionId: string): Promise<Started | undefined> {
    const { engine, images } = this.#options;
    const view = await engine.inspect(this.nameOf(executionId));
    if (view === undefined) return undefined;
    const image = await images.byId(view.imageId);
    return { containerId: view.id, isBoot: image?.isBoot ?? false };
  }

  /** Creates, hands over the job, starts. Safe to repeat. @throws what the engine refuses */
  async start(assignment: Assignment, image: LocalImage): Promise<Started> {
    const { engine } = this.#options;
    const { executionId, processor, secrets } = assignment;
    const name = this.nameOf(executionId);
    const network = await this.#network(name, assignment, image);
    const cpus = await this.#options.cpus();
    const spec = containerSpec({ image, processor, secrets, labels: this.#labels(assignment), network, cpus });
    const containerId = await this.#create(name, spec);
    const { isBoot } = image;
    if (containerId === undefined) return (await this.existing(executionId)) ?? this.start(assignment, image);
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

  /** Networks that `internet` grants made, when nothing is on them any more. */
  async removeNetwork(): Promise<void> {
    await this.#options.engine.removeNetwork(this.#bridgeName());
  }

  #bridgeName(): string {
    return `iso-internet-${this.#options.instance}`;
  }

  #labels({ executionId, processor, deadlineMs, job }: Assignment): Record<string, string> {
    return {
      [LABELS.instance]: this.#options.instance,
      [LABELS.role]: 'processor',
      [LABELS.execution]: executionId,
      [LABELS.attempt]: String(job.attempt),
      [LABELS.processor]: processor.ref,
      [LABELS.deadline]: new Date(deadlineMs).toISOString(),
      [LABELS.timeout]: String(processor.runtime.timeout_s),
    };
  }

  /** What the registry file grants. A relay of ours in the image saves a container that relays. */
  async #network(name: string, { executionId, processor }: Assignment, { isBoot }: LocalImage): Promise<NetworkGrant> {
    const own = await this.ownNetwork(processor);
    if (isBoot || own.kind !== 'sockets') return own;
    const { bridge } = own;
    const containerId = await this.#options.relays.ensure({ name, executionId, grant: own, bridge });
    return { kind: 'joined', containerId };
  }

  /** The network of an image that has our relay. */
  async ownNetwork(processor: Processor): Promise<NetworkGrant> {
    const { network } = processor.runtime;
    const { grants } = this.#options;
    if (network === 'none' || (network === 'artifacts' && grants.isEmpty)) return { kind: 'none' };
    const [grant, bridge] = await Promise.all([grants.ensure(), this.#bridge(processor)]);
    return { kind: 'sockets', ...grant, bridge };
  }

  async #bridge({ runtime }: Processor): Promise<string | undefined> {
    if (runtime.network !== 'internet') return undefined;
    const { engine, instance } = this.#options;
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
