import { status } from '@grpc/grpc-js';

/** What a handler refuses a call with; the SDK sees the gRPC status. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: status;

  constructor(code: status, message: string) {
    super(message);
    this.code = code;
  }
}

export const notFound = (what: string): RpcError => new RpcError(status.NOT_FOUND, `${what} was not found`);
export const invalid = (message: string): RpcError => new RpcError(status.INVALID_ARGUMENT, message);

/** `GenericStatus` of the proto. */
export const GENERIC = {
  success: 1,
  failure: 2,
  terminated: 3,
  timeout: 4,
  initFailure: 5,
  internalFailure: 6,
  idleTimeout: 7,
  memoryEviction: 8,
} as const;

/** How a build or a sandbox ended. */
export interface GenericResult {
  readonly status: number;
  readonly exception?: string;
  readonly exitcode?: number;
}

/** What a handler knows of its call beside the request. */
export interface CallContext {
  /** Aborted when the client went away. */
  readonly signal: AbortSignal;
}

/**
 * The methods of a service. A request has every field of the proto, with defaults; each handler types its own, and the proto
 * holds it to the wire. An answer is a response, or the responses of a stream: an array, or what comes as it happens.
 */
export type Handlers = Readonly<Record<string, (request: never, context: CallContext) => unknown>>;
