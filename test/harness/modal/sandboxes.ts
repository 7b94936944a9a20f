import { status } from '@grpc/grpc-js';
import { encodedToken } from './accounts.ts';
import type { Clock } from './clock.ts';
import type { Images } from './images.ts';
import type { NamedObjects } from './objects.ts';
import { notFound, RpcError } from './rpc.ts';
import { Sandbox, type Tag } from './sandbox.ts';

/** `Sandbox` of the proto. */
export interface SandboxDefinition {
  readonly entrypoint_args: readonly string[];
  readonly image_id: string;
  readonly secret_ids: readonly string[];
  readonly timeout_secs: number;
  readonly volume_mounts: readonly { readonly volume_id: string; readonly mount_path: string }[];
  readonly scheduler_placement: { readonly regions: readonly string[] } | null;
  readonly name: string;
}

export interface CreateSandbox {
  readonly app_id: string;
  readonly definition: SandboxDefinition;
  readonly tags: readonly Tag[];
}

/** What Modal puts into every container. */
export const OWN_VARIABLES = ['MODAL_SANDBOX_ID', 'MODAL_TASK_ID', 'MODAL_IMAGE_ID'];

const V1_DIGITS = 22;

/** What a sandbox is made of. */
interface Surroundings {
  readonly clock: Clock;
  readonly images: Images;
  readonly volumes: NamedObjects<{ readonly folder: string }>;
  folder(prefix: string): string;
}

/** Every sandbox there was, running or ended. */
export class Sandboxes {
  readonly all: Sandbox[] = [];
  /** Whether tags of an ended sandbox can be read and set: Modal does not say. */
  tagsOutliveIt = true;
  readonly #world: Surroundings;
  readonly #killAll = (): void => {
    for (const sandbox of this.all) sandbox.kill({ status: 3 });
  };

  constructor(world: Surroundings) {
    this.#world = world;
    process.once('exit', this.#killAll);
  }

  /** Starts a sandbox. @throws RpcError ALREADY_EXISTS while one of its name runs in the app */
  create(request: CreateSandbox, env: Readonly<Record<string, string>>, isV2: boolean): Sandbox {
    const { definition, app_id: appId } = request;
    const { name } = definition;
    const taken =
      name !== '' && this.all.some(({ spec, result }) => isNamed(spec, appId, name) && result === undefined);
    if (taken) throw new RpcError(status.ALREADY_EXISTS, `a sandbox named ${name} is running`);
    const image = this.#world.images.get(definition.image_id);
    const number = `${this.all.length + 1}`;
    const id = `sb-${isV2 ? `v2-${number}` : number.padStart(V1_DIGITS, '0')}`;
    const own = { MODAL_SANDBOX_ID: id, MODAL_TASK_ID: `ta-${number}`, MODAL_IMAGE_ID: definition.image_id };
    const spec = {
      id,
      taskId: own.MODAL_TASK_ID,
      jwt: encodedToken(),
      isV2,
      appId,
      name,
      regions: definition.scheduler_placement?.regions ?? [],
      createdMs: this.#world.clock.nowMs(),
      timeoutMs: definition.timeout_secs * 1_000,
      request,
      command: image.translate([...image.entrypoint, ...definition.entrypoint_args]),
      cwd: image.workdir,
      env: this.#inside(definition, { ...image.env, ...own, ...env }),
    };
    const sandbox = new Sandbox(spec, request.tags, () => this.#world.clock.nowMs());
    this.all.push(sandbox);
    return sandbox;
  }

  /** @throws RpcError NOT_FOUND */
  get(id: string): Sandbox {
    return this.#find(({ spec }) => spec.id === id, id);
  }

  /** @throws RpcError NOT_FOUND */
  ofTask(taskId: string): Sandbox {
    return this.#find(({ spec }) => spec.taskId === taskId, taskId);
  }

  /** The latest of a name. @throws RpcError NOT_FOUND */
  byName(appId: string, name: string, where: (sandbox: Sandbox) => boolean): Sandbox {
    return this.#find((sandbox) => isNamed(sandbox.spec, appId, name) && where(sandbox), name);
  }

  async close(): Promise<void> {
    this.#killAll();
    await Promise.all(this.all.map(({ ended }) => ended));
    process.removeListener('exit', this.#killAll);
  }

  #find(where: (sandbox: Sandbox) => boolean, what: string): Sandbox {
    const found = this.all.findLast(where);
    if (found === undefined) throw notFound(what);
    return found;
  }

  /** A container has a /tmp and mounts of its own; here they are folders elsewhere, and the environment says where. */
  #inside({ volume_mounts }: SandboxDefinition, env: Readonly<Record<string, string>>): Record<string, string> {
    const folders = new Map([['/tmp', this.#world.folder('tmp')]]);
    for (const { mount_path, volume_id } of volume_mounts) {
      folders.set(mount_path, this.#world.volumes.get(volume_id).folder);
    }
    return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, folders.get(value) ?? value]));
  }
}

const isNamed = (spec: { readonly appId: string; readonly name: string }, appId: string, name: string): boolean =>
  spec.appId === appId && spec.name === name;
