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
import { accountHandlers, authenticate, type Credentials } from './accounts.ts';
import { dictHandlers } from './dicts.ts';
import { type FaultKind, Faults } from './faults.ts';
import { queueHandlers } from './queues.ts';
import { type Handlers, RpcError } from './rpc.ts';

export const PROTO = fileURLToPath(new URL('./modal.proto', import.meta.url));
export const PROTO_OPTIONS = { keepCase: true, defaults: true, longs: Number, enums: Number, bytes: Buffer } as const;

const CREDENTIALS: Credentials = { tokenId: 'ak-local', tokenSecret: 'as-local' };
const MAX_MESSAGE_BYTES = 100 * 1024 * 1024;

/** What the objects of the control plane take for the time; tests can move it on. */
export interface Clock {
  nowMs(): number;
}

/** What is served, by the state it keeps: made once, so that a restart of the server forgets nothing. */
const SERVICES: readonly ((clock: Clock) => Handlers)[] = [accountHandlers, dictHandlers, queueHandlers];

interface Call {
  readonly request: unknown;
  readonly metadata: Metadata;
  on(event: 'cancelled', listener: () => void): unknown;
}
type Answer = (error: { code: status; details: string } | null, value?: unknown) => void;
interface StreamCall extends Call {
  write(message: unknown): boolean;
  once(event: 'drain', listener: () => void): unknown;
  end(): void;
  emit(event: 'error', error: { code: status; details: string }): boolean;
}

const isGrpcObject = (value: unknown): value is GrpcObject => typeof value === 'object' && value !== null;

function serviceDefinition(): ServiceDefinition {
  let at: unknown = loadPackageDefinition(loadSync(PROTO, PROTO_OPTIONS));
  for (const name of ['modal', 'client']) at = isGrpcObject(at) ? at[name] : undefined;
  const client = isGrpcObject(at) ? at.ModalClient : undefined;
  if (typeof client !== 'function' || !('service' in client)) throw new Error('the proto has no ModalClient');
  return client.service;
}

const refusalOf = (error: unknown) =>
  error instanceof RpcError
    ? { code: error.code, details: error.message }
    : { code: status.INTERNAL, details: error instanceof Error ? (error.stack ?? error.message) : String(error) };

export class ControlPlane {
  readonly faults = new Faults();
  /** How often each method was called; a retry counts. */
  readonly calls = new Map<string, number>();
  readonly #handlers: Handlers;
  readonly #definition = serviceDefinition();
  #server: Server | undefined;
  #port = 0;
  #aheadMs = 0;

  constructor() {
    const clock: Clock = { nowMs: () => Date.now() + this.#aheadMs };
    this.#handlers = Object.assign({}, ...SERVICES.map((service) => service(clock)));
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
    server.addService(this.#definition, this.#implementation());
    this.#port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${this.#port}`, ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    this.#server = server;
  }

  /** Cuts every connection and listens no more. What is stored stays, as Modal's would. */
  async stop(): Promise<void> {
    this.#server?.forceShutdown();
    this.#server = undefined;
  }

  /** Moves the time on by so much: entries that idle expire. */
  advance(ms: number): void {
    this.#aheadMs += ms;
  }

  #implementation(): Record<string, UntypedHandleCall> {
    const methods: Record<string, UntypedHandleCall> = {};
    for (const [name, method] of Object.entries(this.#definition)) {
      if (!(name in this.#handlers)) throw new Error(`no service has the method ${name} of the proto`);
      methods[name] = this.#serve(name, method);
    }
    return methods;
  }

  #serve(name: string, { responseStream }: MethodDefinition<unknown, unknown>): UntypedHandleCall {
    if (!responseStream) {
      return ((call: Call, answer: Answer) => {
        this.#answer(name, call).then(
          (value) => answer(null, value),
          (error: unknown) => answer(refusalOf(error)),
        );
      }) as UntypedHandleCall;
    }
    return ((call: StreamCall) => {
      this.#answer(name, call)
        .then((values) => stream(call, Array.isArray(values) ? values : []))
        // Not `destroy`: that cuts the stream off before its status is sent, and the client waits for ever.
        .catch((error: unknown) => call.emit('error', refusalOf(error)));
    }) satisfies (call: StreamCall) => void as unknown as UntypedHandleCall;
  }

  async #answer(name: string, call: Call): Promise<unknown> {
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
    authenticate(name, (key) => call.metadata.get(key)[0]?.toString(), CREDENTIALS);
    const fault = this.faults.take(name);
    if (fault?.when === 'before') await this.#fail(fault.kind);
    const gone = new AbortController();
    call.on('cancelled', () => gone.abort());
    const handler = this.#handlers[name] as (request: unknown, context: { signal: AbortSignal }) => unknown;
    const value = await handler(call.request, { signal: gone.signal });
    if (fault?.when === 'after') await this.#fail(fault.kind);
    return value;
  }

  async #fail(kind: FaultKind): Promise<never> {
    if (kind === 'disconnect') this.#server?.drain(`127.0.0.1:${this.#port}`, 0);
    if (kind === 'silence') await new Promise(() => undefined);
    throw new RpcError(status.UNAVAILABLE, 'injected');
  }
}

async function stream(call: StreamCall, values: readonly unknown[]): Promise<void> {
  for (const value of values) {
    if (!call.write(value)) await new Promise<void>((resolve) => call.once('drain', resolve));
  }
  call.end();
}
