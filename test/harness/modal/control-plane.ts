/**
 * Modal's control plane as far as Isomorph needs it, in this process: gRPC on loopback for the unchanged SDK. It keeps what
 * Python's test servicer keeps to (docs/modal.md). More services are more entries of `SERVICES`, and their messages in
 * `modal.proto`.
 */
import { fileURLToPath } from 'node:url';
import {
  type GrpcObject,
  loadPackageDefinition,
  type Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { freeLoopbackPort } from '../../../stack/process.ts';
import { accountHandlers, authenticate, authenticateTask, type Credentials } from './accounts.ts';
import { appHandlers } from './apps.ts';
import { dictHandlers } from './dicts.ts';
import { type FaultKind, Faults } from './faults.ts';
import { imageHandlers } from './images.ts';
import { queueHandlers } from './queues.ts';
import { type CallContext, type Handlers, RpcError } from './rpc.ts';
import { sandboxHandlers } from './sandbox-handlers.ts';
import { routerHandlers, sandboxStreamHandlers } from './sandbox-streams.ts';
import { secretHandlers, volumeHandlers } from './stores.ts';
import { World } from './world.ts';

const fileHere = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export const PROTO = fileHere('./modal.proto');
export const ROUTER_PROTO = fileHere('./task-router.proto');
export const PROTO_OPTIONS = { keepCase: true, defaults: true, longs: Number, enums: Number, bytes: Buffer } as const;

const CREDENTIALS: Credentials = { tokenId: 'ak-local', tokenSecret: 'as-local' };
const MAX_MESSAGE_BYTES = 100 * 1024 * 1024;

type Service = (world: World) => Handlers;

/** What is served, by the state it keeps: made once, so that a restart of the server forgets nothing. */
const SERVICES: readonly Service[] = [
  accountHandlers,
  ({ clock }) => dictHandlers(clock),
  ({ clock }) => queueHandlers(clock),
  appHandlers,
  imageHandlers,
  secretHandlers,
  volumeHandlers,
  sandboxHandlers,
  sandboxStreamHandlers,
];

interface Call {
  readonly request: unknown;
  readonly metadata: Metadata;
  on(event: 'cancelled', listener: () => void): unknown;
}
interface Method {
  readonly name: string;
  readonly handler: (request: unknown, context: CallContext) => unknown;
  readonly authenticated: (name: string, metadata: Metadata) => void;
}
type Answer = (error: { code: status; details: string } | null, value?: unknown) => void;
interface StreamCall extends Call {
  write(message: unknown): boolean;
  once(event: 'drain', listener: () => void): unknown;
  end(): void;
  emit(event: 'error', error: { code: status; details: string }): boolean;
}

const isGrpcObject = (value: unknown): value is GrpcObject => typeof value === 'object' && value !== null;

/** The service at a dotted name of a proto file. */
function serviceDefinition(proto: string, name: string): ServiceDefinition {
  let at: unknown = loadPackageDefinition(loadSync(proto, PROTO_OPTIONS));
  for (const part of name.split('.').slice(0, -1)) at = isGrpcObject(at) ? at[part] : undefined;
  const service = isGrpcObject(at) ? at[name.split('.').at(-1) ?? ''] : undefined;
  if (typeof service !== 'function' || !('service' in service)) throw new Error(`the proto has no ${name}`);
  return service.service;
}

const refusalOf = (error: unknown) =>
  error instanceof RpcError
    ? { code: error.code, details: error.message }
    : { code: status.INTERNAL, details: error instanceof Error ? (error.stack ?? error.message) : String(error) };

export class ControlPlane {
  readonly faults = new Faults();
  /** How often each method was called; a retry counts. */
  readonly calls = new Map<string, number>();
  /** What tests put in place, and look at. */
  readonly world: World;
  readonly #handlers: Handlers;
  readonly #definition = serviceDefinition(PROTO, 'modal.client.ModalClient');
  readonly #routerHandlers: Handlers;
  readonly #routerDefinition = serviceDefinition(ROUTER_PROTO, 'modal.task_command_router.TaskCommandRouter');
  #server: Server | undefined;
  #port = 0;
  #aheadMs = 0;

  constructor() {
    this.world = new World({ nowMs: () => Date.now() + this.#aheadMs });
    this.#handlers = Object.assign({}, ...SERVICES.map((service) => service(this.world)));
    this.#routerHandlers = routerHandlers(this.world);
  }

  /** What a process must have in its environment for the SDK to come here, and to read no configuration of a person. */
  get environment(): Readonly<Record<string, string>> {
    return {
      MODAL_SERVER_URL: `http://127.0.0.1:${this.#port}`,
      MODAL_TOKEN_ID: CREDENTIALS.tokenId,
      MODAL_TOKEN_SECRET: CREDENTIALS.tokenSecret,
      MODAL_CONFIG_PATH: '/dev/null',
    };
  }

  /** Listens on a free port of 127.0.0.1; after a stop on the one it had. */
  async start(): Promise<void> {
    const server = new Server({
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    });
    server.addService(this.#definition, this.#implementation(this.#definition, this.#handlers, this.#authenticate));
    const ofTasks = this.#implementation(this.#routerDefinition, this.#routerHandlers, this.#authenticateTask);
    server.addService(this.#routerDefinition, ofTasks);
    // It comes back to its port after a restart.
    const wanted = this.#port === 0 ? await freeLoopbackPort() : this.#port;
    this.#port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${wanted}`, ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    this.#server = server;
    // The SDK insists on https here, and dials loopback in plain text all the same.
    this.world.routerUrl = `https://127.0.0.1:${this.#port}`;
  }

  /** Cuts every connection and listens no more. What is stored stays, as Modal's would. */
  async stop(): Promise<void> {
    this.#server?.forceShutdown();
    this.#server = undefined;
  }

  /** Stops for good: sandboxes end, and their folders go. */
  async close(): Promise<void> {
    await this.stop();
    await this.world.close();
  }

  /** Moves the time on by so much: entries that idle expire. */
  advance(ms: number): void {
    this.#aheadMs += ms;
  }

  #authenticate = (name: string, metadata: Metadata): void =>
    authenticate(name, (key) => metadata.get(key)[0]?.toString(), CREDENTIALS);

  #authenticateTask = (_name: string, metadata: Metadata): void => {
    const jwts = this.world.sandboxes.all.map(({ spec }) => spec.jwt);
    authenticateTask((key) => metadata.get(key)[0]?.toString(), jwts);
  };

  #implementation(
    definition: ServiceDefinition,
    handlers: Handlers,
    authenticated: Method['authenticated'],
  ): Record<string, UntypedHandleCall> {
    const methods: Record<string, UntypedHandleCall> = {};
    for (const [name, method] of Object.entries(definition)) {
      const handler = handlers[name];
      if (handler === undefined) throw new Error(`no service has the method ${name} of the proto`);
      methods[name] = this.#serve({ name, handler: handler as Method['handler'], authenticated }, method);
    }
    return methods;
  }

  #serve(its: Method, { responseStream }: MethodDefinition<unknown, unknown>): UntypedHandleCall {
    if (!responseStream) {
      return ((call: Call, answer: Answer) => {
        this.#answer(its, call, goneSignal(call)).then(
          (value) => answer(null, value),
          (error: unknown) => answer(refusalOf(error)),
        );
      }) as UntypedHandleCall;
    }
    return ((call: StreamCall) => {
      const signal = goneSignal(call);
      this.#answer(its, call, signal)
        .then((values) => stream(call, values as Iterable<unknown> | AsyncIterable<unknown>, signal))
        // Not `destroy`: that cuts the stream off before its status is sent, and the client waits for ever.
        .catch((error: unknown) => call.emit('error', refusalOf(error)));
    }) satisfies (call: StreamCall) => void as unknown as UntypedHandleCall;
  }

  async #answer({ name, handler, authenticated }: Method, call: Call, signal: AbortSignal): Promise<unknown> {
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
    authenticated(name, call.metadata);
    const fault = this.faults.take(name);
    if (fault?.when === 'before') await this.#fail(fault.kind);
    const value = await handler(call.request, { signal });
    if (fault?.when === 'after') await this.#fail(fault.kind);
    return value;
  }

  async #fail(kind: FaultKind): Promise<never> {
    if (kind === 'disconnect') this.#server?.drain(`127.0.0.1:${this.#port}`, 0);
    if (kind === 'silence') await new Promise(() => undefined);
    throw new RpcError(status.UNAVAILABLE, 'injected');
  }
}

function goneSignal(call: Call): AbortSignal {
  const gone = new AbortController();
  call.on('cancelled', () => gone.abort());
  return gone.signal;
}

async function stream(
  call: StreamCall,
  values: Iterable<unknown> | AsyncIterable<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const gone = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  for await (const value of values) {
    if (signal.aborted) return;
    if (call.write(value)) continue;
    await Promise.race([gone, new Promise<void>((resolve) => call.once('drain', resolve))]);
  }
  call.end();
}
