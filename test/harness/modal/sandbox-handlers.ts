import { status } from '@grpc/grpc-js';
import { type CallContext, GENERIC, type Handlers, notFound, RpcError } from './rpc.ts';
import type { Sandbox, Tag } from './sandbox.ts';
import type { CreateSandbox } from './sandboxes.ts';
import type { World } from './world.ts';

const TERMINATED = { status: GENERIC.terminated, exitcode: 137 };
const LOOKUP = 0;

interface OfSandbox {
  readonly sandbox_id: string;
}
interface CreateV2 extends CreateSandbox {
  readonly secret_sources: readonly {
    readonly secret_id?: string;
    readonly env: { readonly contents: Readonly<Record<string, string>> } | null;
  }[];
}
interface FromName {
  readonly sandbox_name: string;
  readonly app_name: string;
  readonly environment_name: string;
  readonly include_terminated: boolean;
}
interface ListRequest {
  readonly app_id: string;
  readonly before_timestamp: number;
  readonly include_finished: boolean;
  readonly tags: readonly Tag[];
}

/** The result of a sandbox, awaited for so long; none while it runs. */
async function waited(sandbox: Sandbox, timeoutMs: number, signal: AbortSignal): Promise<object> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([sandbox.ended, over]).finally(() => clearTimeout(timer));
  const { result, spec } = sandbox;
  return { ...(result === undefined ? {} : { result }), metadata: { app_id: spec.appId } };
}

const infoOf = ({ spec, tags, result, finishedMs }: Sandbox): object => ({
  id: spec.id,
  created_at: spec.createdMs / 1_000,
  app_id: spec.appId,
  name: spec.name,
  tags,
  regions: spec.regions,
  task_info: {
    id: spec.taskId,
    started_at: spec.createdMs / 1_000,
    finished_at: finishedMs / 1_000,
    ...(result === undefined ? {} : { result }),
  },
});

const hasTags = (sandbox: Sandbox, tags: readonly Tag[]): boolean =>
  tags.every((tag) =>
    sandbox.tags.some(({ tag_name, tag_value }) => tag_name === tag.tag_name && tag_value === tag.tag_value),
  );

/** Secrets as environment variables; what comes later wins. */
function environmentOf({ secrets }: World, ids: readonly string[]): Record<string, string> {
  return Object.assign({}, ...ids.map((id) => secrets.get(id).env));
}

/** The methods that V1 and V2 have alike, under their two names. */
function bothVersions({ sandboxes, apps }: World, isV2: boolean): Handlers {
  const of = (id: string): Sandbox => {
    const sandbox = sandboxes.get(id);
    if (sandbox.spec.isV2 !== isV2) throw notFound(id);
    return sandbox;
  };
  const tagged = (id: string): Sandbox => {
    const sandbox = of(id);
    if (sandbox.result === undefined || sandboxes.tagsOutliveIt) return sandbox;
    throw new RpcError(status.FAILED_PRECONDITION, `${id} has ended`);
  };
  return {
    GetFromName: ({ sandbox_name, app_name, environment_name, include_terminated }: FromName) => {
      const appId = apps.getOrCreate({ deployment_name: app_name, environment_name, object_creation_type: LOOKUP });
      const isFit = ({ spec, result }: Sandbox) => spec.isV2 === isV2 && (include_terminated || result === undefined);
      return { sandbox_id: sandboxes.byName(appId, sandbox_name, isFit).spec.id };
    },
    GetTaskId: ({ sandbox_id }: OfSandbox) => ({ task_id: of(sandbox_id).spec.taskId }),
    Wait: ({ sandbox_id, timeout }: OfSandbox & { readonly timeout: number }, { signal }: CallContext) =>
      waited(of(sandbox_id), timeout * 1_000, signal),
    Terminate: ({ sandbox_id }: OfSandbox) => {
      const sandbox = of(sandbox_id);
      sandbox.kill(TERMINATED);
      return sandbox.result === undefined ? {} : { existing_result: sandbox.result };
    },
    TagsSet: ({ sandbox_id, tags }: OfSandbox & { readonly tags: readonly Tag[] }) => {
      tagged(sandbox_id).tags = tags;
      return {};
    },
    TagsGet: ({ sandbox_id }: OfSandbox) => ({ tags: tagged(sandbox_id).tags }),
    List: ({ app_id, before_timestamp, include_finished, tags }: ListRequest) => ({
      sandboxes: sandboxes.all
        .filter(({ spec }) => (isV2 || !spec.isV2) && (app_id === '' || spec.appId === app_id))
        .filter(({ result }) => include_finished || result === undefined)
        .filter(({ spec }) => before_timestamp === 0 || spec.createdMs / 1_000 < before_timestamp)
        .filter((sandbox) => hasTags(sandbox, tags))
        .reverse()
        .map(infoOf),
    }),
  };
}

const named = (handlers: Handlers, suffix: string): Handlers =>
  Object.fromEntries(Object.entries(handlers).map(([name, handler]) => [`Sandbox${name}${suffix}`, handler]));

export function sandboxHandlers(world: World): Handlers {
  const { sandboxes } = world;
  const accessOf = ({ spec }: Sandbox) => ({ jwt: spec.jwt, url: world.routerUrl });
  return {
    ...named(bothVersions(world, false), ''),
    ...named(bothVersions(world, true), 'V2'),
    SandboxCreate: (request: CreateSandbox) => {
      const { spec } = sandboxes.create(request, environmentOf(world, request.definition.secret_ids), false);
      return { sandbox_id: spec.id };
    },
    SandboxCreateV2: (request: CreateV2) => {
      const sources = request.secret_sources.map(({ secret_id, env }) =>
        secret_id ? environmentOf(world, [secret_id]) : env?.contents,
      );
      const sandbox = sandboxes.create(request, Object.assign({}, ...sources), true);
      const { id, taskId } = sandbox.spec;
      return { sandbox_id: id, task_id: taskId, command_router_access: accessOf(sandbox) };
    },
    /** A worker answers for what runs on it; what has ended is left to the logs that Modal keeps. */
    SandboxGetCommandRouterAccess: ({ sandbox_id }: OfSandbox) => {
      const sandbox = sandboxes.get(sandbox_id);
      if (sandbox.result !== undefined) throw new RpcError(status.FAILED_PRECONDITION, `${sandbox_id} has ended`);
      return accessOf(sandbox);
    },
  };
}
