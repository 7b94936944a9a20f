import type { Duplex, Readable } from 'node:stream';
import type Docker from 'dockerode';
import { delay } from '../../../async/delay.ts';
import { within } from '../../../async/within.ts';
import { engineClient } from '../../../providers/docker/engine-client.ts';

/** A container as the engine knows it. */
export interface ContainerView {
  readonly id: string;
  /** Without the slash that engines put before it. */
  readonly name: string;
  readonly status: string;
  readonly running: boolean;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** What the engine says of a failed start. */
  readonly error: string;
  readonly createdMs: number;
  /** NaN when it never started. */
  readonly startedMs: number;
  /** NaN when it has not ended. */
  readonly finishedMs: number;
  /** Id of its image. */
  readonly imageId: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ContainerRow {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly createdMs: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** One answer; a start on a loaded machine takes seconds. */
const CALL_TIMEOUT_MS = 60_000;
const LOOK_AGAIN_MS = 100;

const DOWN = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'ENOTFOUND']);

/** The HTTP status of a refusal; undefined when the engine gave no answer. */
export const statusOf = (error: unknown): number | undefined =>
  (error as { statusCode?: number } | undefined)?.statusCode;

/** The engine gave no answer: whether it did what it was asked is not known. */
class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

export const isDown = (error: unknown): boolean => error instanceof NoAnswer;

/** What broke the connection as `NoAnswer`; what the engine answered as it is. */
function asNoAnswer(call: string, error: unknown): unknown {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  const isCut = statusOf(error) === undefined && (DOWN.has(code) || /hang up|aborted|premature/i.test(message));
  return isCut ? new NoAnswer(`the container engine does not answer (${call}: ${message})`, { cause: error }) : error;
}

/** A response that is cut in the middle never settles in the client library: every call is bounded here. */
async function bounded<T>(call: string, answer: Promise<T>): Promise<T> {
  try {
    return await within(CALL_TIMEOUT_MS, answer, () => {
      throw new NoAnswer(`the container engine does not answer (${call})`);
    });
  } catch (error) {
    throw asNoAnswer(call, error);
  }
}

const timeOf = (text: string): number => {
  const ms = Date.parse(text);
  // Go's zero time stands for "never".
  return ms > 0 ? ms : Number.NaN;
};

function viewOf(info: Docker.ContainerInspectInfo): ContainerView {
  const { State: state, Config: config } = info;
  return {
    id: info.Id,
    name: info.Name.replace(/^\//, ''),
    status: state.Status,
    running: state.Running,
    exitCode: state.ExitCode,
    oomKilled: state.OOMKilled,
    error: state.Error,
    createdMs: timeOf(info.Created),
    startedMs: timeOf(state.StartedAt),
    finishedMs: timeOf(state.FinishedAt),
    imageId: info.Image,
    labels: config.Labels ?? {},
  };
}

/** The calls of the Docker Engine API that this runtime makes, with one notion of failure. */
export class Engine {
  readonly #docker: Docker;

  constructor(docker: Docker) {
    this.#docker = docker;
  }

  /** @throws the refusal (`statusOf`), or an error for which `isDown` */
  async create(name: string, options: Docker.ContainerCreateOptions): Promise<string> {
    return (await bounded('create', this.#docker.createContainer({ ...options, name }))).id;
  }

  async start(id: string): Promise<void> {
    // 304: somebody else started it.
    await bounded('start', this.#docker.getContainer(id).start()).catch(unless(304));
  }

  /** Standard input, output and error of a container as one stream of frames. It must be read, or the processor blocks. */
  attach(id: string): Promise<Duplex> {
    const query = { stream: 1, stdin: 1, stdout: 1, stderr: 1 };
    // Podman hands the body on to standard input, where an empty line does no harm; the client's own would.
    const body = { hijack: true, file: Buffer.from('\n') };
    return this.#stream('POST', `/containers/${id}/attach?`, query, body) as Promise<Duplex>;
  }

  /** The log as frames, to its end; with `follow` until the container ends. */
  logs(id: string, follow: boolean): Promise<Readable> {
    const query = { stdout: 1, stderr: 1, ...(follow ? { follow: 1 } : {}) };
    return this.#stream('GET', `/containers/${id}/logs?`, query);
  }

  /** Resolves when a started container is not running. @throws when the engine goes away meanwhile */
  async whenStopped(id: string): Promise<void> {
    const answer = await this.#stream('POST', `/containers/${id}/wait?`, { condition: 'not-running' });
    try {
      for await (const _ of answer);
    } catch (error) {
      throw asNoAnswer('wait', error);
    }
  }

  /** By id or name; undefined when there is none. */
  async inspect(id: string): Promise<ContainerView | undefined> {
    const info = await bounded('inspect', this.#docker.getContainer(id).inspect()).catch(unless(404));
    return info === undefined ? undefined : viewOf(info);
  }

  async signal(id: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    // 404: it is gone, 409: it does not run.
    await bounded('kill', this.#docker.getContainer(id).kill({ signal })).catch(unless(404, 409));
  }

  /** @returns false when the name is taken */
  async rename(id: string, name: string): Promise<boolean> {
    try {
      await bounded('rename', this.#docker.getContainer(id).rename({ name }));
      return true;
    } catch (error) {
      if (isNameTaken(error)) return false;
      throw error;
    }
  }

  /** Ends and removes it with its anonymous volumes; returns when its name is free. */
  async remove(id: string, options: { readonly force: boolean } = { force: true }): Promise<void> {
    try {
      await bounded('remove', this.#docker.getContainer(id).remove({ force: options.force, v: true }));
    } catch (error) {
      if (statusOf(error) === 404) return;
      // Somebody else is removing it.
      if (statusOf(error) !== 409 || !/in progress/.test(String(error))) throw error;
      while ((await this.inspect(id)) !== undefined) await delay(LOOK_AGAIN_MS);
    }
  }

  /** Containers with these labels, running or not. */
  async list(labels: readonly string[]): Promise<ContainerRow[]> {
    const filters = { label: [...labels] };
    const rows = await bounded('list', this.#docker.listContainers({ all: true, filters }));
    return rows.map((row) => ({
      id: row.Id,
      name: (row.Names[0] ?? '').replace(/^\//, ''),
      state: row.State,
      createdMs: row.Created * 1000,
      labels: row.Labels,
    }));
  }

  async image(reference: string): Promise<Docker.ImageInspectInfo | undefined> {
    return bounded('image', this.#docker.getImage(reference).inspect()).catch(unless(404));
  }

  /** Name and version, and how many CPUs it has: it refuses a limit above. */
  async about(): Promise<{ readonly version: string; readonly cpus: number }> {
    const [version, info] = await bounded('version', Promise.all([this.#docker.version(), this.#docker.info()]));
    const product = (version as { Components?: { Name?: string }[] }).Components?.[0]?.Name ?? 'Engine';
    const name = /podman/i.test(product) ? 'podman' : 'docker';
    return { version: `${name} ${version.Version}`, cpus: info.NCPU };
  }

  /** A bridge network on which containers do not see each other; made when it is not there. */
  async ensureNetwork(name: string, labels: Readonly<Record<string, string>>): Promise<void> {
    const options = { 'com.docker.network.bridge.enable_icc': 'false' };
    const found = await bounded('network', this.#docker.getNetwork(name).inspect()).catch(unless(404));
    if (found !== undefined) return;
    const made = this.#docker.createNetwork({ Name: name, Labels: { ...labels }, Options: options });
    await bounded('network', made).catch(unless(409));
  }

  /** Does nothing when containers are still on it. */
  async removeNetwork(name: string): Promise<void> {
    await bounded('network', this.#docker.getNetwork(name).remove()).catch(unless(403, 404, 409));
  }

  #stream(method: string, route: string, query: object, more: object = {}): Promise<Readable> {
    const statusCodes = { 200: true, 404: 'no such container', 500: 'server error' } as Record<string, unknown>;
    const dial = { path: route, method, isStream: true, statusCodes, options: { _query: query, _body: {} }, ...more };
    const answer = new Promise<Readable>((resolve, reject) => {
      this.#docker.modem.dial(dial as never, (error: unknown, stream: unknown) => {
        if (error === null || error === undefined) resolve(stream as Readable);
        else reject(error);
      });
    });
    return bounded(route, answer);
  }
}

/** Podman answers 500 where Docker answers 409. */
export const isNameTaken = (error: unknown): boolean =>
  statusOf(error) === 409 || (statusOf(error) === 500 && /already in use/.test(String(error)));

const unless =
  (...statuses: readonly number[]) =>
  (error: unknown): undefined => {
    if (!statuses.includes(statusOf(error) ?? 0)) throw error;
  };

/**
 * @param dockerHost as in `DOCKER_HOST`, which it overrides; only `unix://`
 * @param connect `answeringEngine` where one must be there already
 */
export const openEngine = async (dockerHost?: string, connect = engineClient): Promise<Engine> =>
  new Engine(await connect(dockerHost ?? process.env.DOCKER_HOST));

/** Repeats a call that may be repeated for as long as the engine does not answer. @throws its last error when time is up */
export async function patiently<T>(untilMs: number, call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!isDown(error) || Date.now() >= untilMs) throw error;
      await delay(LOOK_AGAIN_MS);
    }
  }
}
