import type { App, Image, ModalClient, Sandbox, SandboxCreateParams } from 'modal';
import type { Processor } from '../../../plan/registry.ts';
import { isNotFound } from '../../../providers/modal/account.ts';
import type { Assignment } from '../../runtime.ts';
import { MODAL_STATUS, type SandboxResult, type SandboxStop } from './outcome.ts';
import { type ModalPlace, objectNameOf } from './place.ts';
import { requestOf, TAGS, type Tags, VOLUME_PATH } from './request.ts';

/** A sandbox, with what its tags were when it was found. */
export interface FoundSandbox {
  readonly sandbox: Sandbox;
  readonly tags: Tags;
}

/** Modal has two kinds of sandboxes; the SDK makes V1 ones for GPUs, and where the profile says so. */
export type SandboxVersion = 'v1' | 'v2';

/** As the SDK tells them apart. */
const isV1 = ({ sandboxId }: Sandbox): boolean => /^sb-[0-9A-Za-z]{22}$/.test(sandboxId);

const ANSWER_MARGIN_MS = 10_000;

/** gRPC: cancelled, deadline exceeded, unavailable. */
const SILENT = [1, 4, 14];

/** Whether there was no answer, even though the SDK asked several times: the call may have had its effect, or not. */
export const isSilence = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && SILENT.some((code) => code === error.code);

const orNothing = async <T>(answer: Promise<T>): Promise<T | undefined> => {
  try {
    return await answer;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
};

/** Modal's calls as this runtime needs them. They throw what the SDK throws. */
export class ModalControl {
  readonly #client: ModalClient;
  readonly #place: ModalPlace;
  /** Aborted when the runtime is closed. */
  readonly #signal: AbortSignal;
  readonly #images = new Map<string, Promise<Image>>();
  #app: Promise<App> | undefined;

  constructor(client: ModalClient, place: ModalPlace, signal: AbortSignal) {
    this.#client = client;
    this.#place = place;
    this.#signal = signal;
  }

  get sdkVersion(): string {
    return this.#client.version();
  }

  versionFor({ runtime }: Processor): SandboxVersion {
    return runtime.gpu === undefined && this.#client.profile.sandboxV2 ? 'v2' : 'v1';
  }

  /**
   * The image of a processor, pulled by Modal when it has not got it. An entrypoint of the image would come before the
   * command, which is the registry file's alone to say.
   */
  image(reference: string): Promise<Image> {
    const building = this.#images.get(reference) ?? this.#build(reference);
    this.#images.set(reference, building);
    // One that failed is tried anew by the next execution.
    building.catch(() => this.#images.delete(reference));
    return building;
  }

  /** Starts the sandbox of an execution. It does nothing until it is given its job. */
  async create(assignment: Assignment): Promise<FoundSandbox> {
    const { processor, executionId, secrets, secretHandles = [] } = assignment;
    const request = requestOf(assignment, this.#place, Date.now());
    const [app, image, ...held] = await Promise.all([
      this.#openApp(),
      this.image(processor.image),
      ...secretHandles.map(({ name, environment }) =>
        this.#client.secrets.fromName(name, { ...(environment === '' ? {} : { environment }), requiredKeys: [name] }),
      ),
      ...(Object.keys(secrets).length === 0 ? [] : [this.#client.secrets.fromObject({ ...secrets })]),
    ]);
    const more: SandboxCreateParams = { secrets: held };
    if (processor.runtime.scratch_volume_gb !== undefined) {
      const options = { ...this.#environment, createIfMissing: true };
      more.volumes = { [VOLUME_PATH]: await this.#client.volumes.fromName(objectNameOf(executionId), options) };
    }
    const sandbox = await this.#client.sandboxes.create(app, image, { ...request, ...more });
    return { sandbox, tags: request.tags ?? {} };
  }

  /** The sandbox of an execution, running or ended; undefined when there is none, or it was forgotten. */
  async lookUp(
    executionId: string,
    versions: readonly SandboxVersion[] = ['v2', 'v1'],
  ): Promise<FoundSandbox | undefined> {
    for (const version of versions) {
      const sandbox = version === 'v2' ? await this.#v2(executionId) : await this.#v1(executionId);
      if (sandbox === undefined) continue;
      const tags = await this.tags(sandbox);
      return tags[TAGS.forgotten] === undefined ? { sandbox, tags } : undefined;
    }
    return undefined;
  }

  /** None where Modal refuses them, as it may for what has ended: its result must not be lost for want of them. */
  async tags(sandbox: Sandbox): Promise<Tags> {
    try {
      return await sandbox.getTags();
    } catch (error) {
      if (isSilence(error)) throw error;
      return {};
    }
  }

  /** Nothing looks at it afterwards but tests and people, so that a refusal is let go. */
  async markForgotten({ sandbox, tags }: FoundSandbox): Promise<void> {
    try {
      await sandbox.setTags({ ...tags, [TAGS.forgotten]: 'yes' });
    } catch (error) {
      if (isSilence(error)) throw error;
    }
  }

  /** How it ended, awaited for so long; undefined while it runs. */
  async wait(sandbox: Sandbox, timeoutMs: number): Promise<SandboxResult | undefined> {
    const request = { sandboxId: sandbox.sandboxId, timeout: timeoutMs / 1_000 };
    const options = { timeoutMs: timeoutMs + ANSWER_MARGIN_MS, signal: this.#signal };
    const { cpClient } = this.#client;
    const { result } = isV1(sandbox)
      ? await cpClient.sandboxWait(request, options)
      : await cpClient.sandboxWaitV2(request, options);
    return result === undefined || result.status === MODAL_STATUS.unspecified ? undefined : result;
  }

  /** Ends it, and leaves the reason for whoever looks at it afterwards. */
  async stop({ sandbox, tags }: FoundSandbox, reason: SandboxStop): Promise<void> {
    await sandbox.setTags({ ...tags, [TAGS.stop]: reason });
    await sandbox.terminate();
  }

  /** How long it ran by Modal's clock; undefined when Modal does not tell. */
  async durationMs(sandbox: Sandbox, tags: Tags): Promise<number | undefined> {
    const { sandboxes } = await this.#client.cpClient.sandboxListV2({
      appId: (await this.#openApp()).appId,
      includeFinished: true,
      tags: [{ tagName: TAGS.execution, tagValue: tags[TAGS.execution] ?? '' }],
    });
    const info = sandboxes.find(({ id }) => id === sandbox.sandboxId)?.taskInfo;
    if (info === undefined || info.startedAt === 0 || info.finishedAt < info.startedAt) return undefined;
    return Math.round((info.finishedAt - info.startedAt) * 1_000);
  }

  async deleteVolume(executionId: string): Promise<void> {
    await this.#client.volumes.delete(objectNameOf(executionId), { ...this.#environment, allowMissing: true });
  }

  get #environment(): { environment?: string } {
    const { environment } = this.#place;
    return environment === '' ? {} : { environment };
  }

  async #build(reference: string): Promise<Image> {
    const image = this.#client.images.fromRegistry(reference).dockerfileCommands(['ENTRYPOINT []']);
    return image.build(await this.#openApp());
  }

  #openApp(): Promise<App> {
    this.#app ??= this.#client.apps.fromName(this.#place.app, { ...this.#environment, createIfMissing: true });
    this.#app.catch(() => {
      this.#app = undefined;
    });
    return this.#app;
  }

  #v2(executionId: string): Promise<Sandbox | undefined> {
    const options = { ...this.#environment, includeTerminated: true };
    const { sandboxes } = this.#client;
    return orNothing(sandboxes.experimentalFromName(this.#place.app, objectNameOf(executionId), options));
  }

  /** V1 finds by name only what runs; what has ended is found by its tag. */
  async #v1(executionId: string): Promise<Sandbox | undefined> {
    const { cpClient, sandboxes } = this.#client;
    const named = await orNothing(
      cpClient.sandboxGetFromName({
        sandboxName: objectNameOf(executionId),
        appName: this.#place.app,
        environmentName: this.#client.environmentName(this.#place.environment),
      }),
    );
    if (named !== undefined) return sandboxes.fromId(named.sandboxId);
    const listed = await cpClient.sandboxList({
      appId: (await this.#openApp()).appId,
      environmentName: this.#client.environmentName(this.#place.environment),
      includeFinished: true,
      tags: [{ tagName: TAGS.execution, tagValue: executionId }],
    });
    const [latest] = [...listed.sandboxes].sort((a, b) => b.createdAt - a.createdAt);
    return latest === undefined ? undefined : sandboxes.fromId(latest.id);
  }
}
