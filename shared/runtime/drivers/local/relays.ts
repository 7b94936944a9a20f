import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { delay } from '../../../async/delay.ts';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import { hardened, LABELS, networkOf } from './container-spec.ts';
import { type Engine, isNameTaken } from './engine.ts';
import { FrameReader } from './frames.ts';
import type { GrantedSockets } from './grants.ts';
import { RELAY_FILE } from './grants.ts';
import { GRANT_FOLDER, LIMITS, PROCESSOR_USER } from './limits.ts';

/** Images with Node, for the relay of processors whose own image has none of ours: the first that the engine has. */
const DEFAULT_IMAGES = ['isomorph/base-node:offline', 'node:22-slim'];
const RELAY_MEMORY_BYTES = 64 * 2 ** 20;
const RELAY_CPUS = 1;

export interface RelaysOptions {
  readonly engine: Engine;
  readonly instance: string;
  readonly startGraceMs: number;
  readonly relayImage?: string;
}

export interface RelayRequest {
  /** Of the container that the relay is for. */
  readonly name: string;
  readonly executionId: string;
  readonly grant: GrantedSockets;
  /** A bridge network instead of none. */
  readonly bridge: string | undefined;
}

const SUFFIX = '.relay';

export const relayNameOf = (name: string): string => `${name}${SUFFIX}`;

/** The container that a relay is for. */
export const executionNameOf = (relayName: string): string => relayName.slice(0, -SUFFIX.length);

/**
 * Containers that hold a network namespace with nothing in it but the granted endpoints, for a processor to join: one for
 * each execution, because what shares a namespace can talk to each other.
 */
export class Relays {
  readonly #options: RelaysOptions;

  constructor(options: RelaysOptions) {
    this.#options = options;
  }

  /** Id of a relay that listens. @throws ERR_START when the engine has no image with Node */
  async ensure(request: RelayRequest): Promise<string> {
    const { engine, startGraceMs } = this.#options;
    const name = relayNameOf(request.name);
    for (;;) {
      const view = await engine.inspect(name);
      if (view?.running === true) {
        // Somebody else's, which may have been started this very moment.
        await this.#whenListening(view.id, await engine.logs(view.id, true));
        return view.id;
      }
      const isStarting = view?.status === 'created' && Date.now() < view.createdMs + startGraceMs;
      if (view !== undefined && !isStarting) await engine.remove(view.id);
      const id = isStarting ? undefined : await this.#start(name, request);
      if (id !== undefined) return id;
      await delay(20);
    }
  }

  async #start(name: string, request: RelayRequest): Promise<string | undefined> {
    const { engine } = this.#options;
    let id: string;
    try {
      id = await engine.create(name, await this.#spec(request));
    } catch (error) {
      if (isNameTaken(error)) return undefined;
      throw error;
    }
    try {
      const stream = await engine.attach(id);
      await Promise.all([engine.start(id), this.#whenListening(id, stream)]);
      return id;
    } catch (error) {
      // What was not removed now is removed by the reaper: nothing will join it.
      await engine.remove(id).catch(() => undefined);
      throw error;
    }
  }

  #whenListening(id: string, stream: Readable): Promise<void> {
    const listening = new Promise<void>((resolve, reject) => {
      let said = '';
      const frames = new FrameReader((_, bytes) => {
        said += Buffer.from(bytes).toString('utf8');
        if (said.startsWith('listening\n')) resolve();
      });
      stream.on('data', (chunk: Buffer) => frames.push(chunk));
      const end = (): void => reject(new IsomorphError('ERR_START', `the relay ${id} does not listen: ${said}`));
      stream.once('end', end).once('close', end).once('error', end);
    });
    return listening.finally(() => stream.destroy());
  }

  async #spec({ executionId, grant, bridge }: RelayRequest): Promise<Docker.ContainerCreateOptions> {
    const { instance } = this.#options;
    return {
      Image: await this.#image(),
      Entrypoint: ['node', `${GRANT_FOLDER}/${RELAY_FILE}`],
      Cmd: [],
      User: PROCESSOR_USER,
      Labels: { [LABELS.instance]: instance, [LABELS.role]: 'relay', [LABELS.execution]: executionId },
      // Never closed: it ends when it is removed.
      OpenStdin: true,
      HostConfig: {
        ...hardened(RELAY_MEMORY_BYTES, RELAY_CPUS),
        ...networkOf({ kind: 'sockets', ...grant, bridge }),
        Ulimits: [{ Name: 'nofile', Soft: LIMITS.open_files, Hard: LIMITS.open_files }],
      },
    };
  }

  async #image(): Promise<string> {
    const { engine, relayImage } = this.#options;
    const names = relayImage === undefined ? DEFAULT_IMAGES : [relayImage];
    for (const name of names) {
      const found = await engine.image(name);
      if (found !== undefined) return found.Id;
    }
    throw new IsomorphError('ERR_START', `the engine has none of the images ${names.join(', ')} to relay with`);
  }
}
