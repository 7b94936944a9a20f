/**
 * What Isomorph uses of the `modal` SDK, as types: the SDK has no class for Dicts, only its typed client of the control
 * plane. The SDK itself is imported by the driver files alone.
 */
import { IsomorphError } from '../../errors/isomorph-error.ts';

export interface CallOptions {
  /** Of one try. */
  readonly timeoutMs: number;
  /** Beyond the first try, on passing faults. */
  readonly retries?: number;
  readonly baseDelay?: number;
}

/** `client.cpClient`, as far as Dicts need it. */
export interface DictRpc {
  dictGetOrCreate(
    request: { deploymentName: string; environmentName: string; objectCreationType: number },
    options?: CallOptions,
  ): Promise<{ dictId: string }>;
  dictGet(request: DictKey, options?: CallOptions): Promise<{ found: boolean; value?: Uint8Array | undefined }>;
  dictContains(request: DictKey, options?: CallOptions): Promise<{ found: boolean }>;
  dictPop(request: DictKey, options?: CallOptions): Promise<{ found: boolean }>;
  dictUpdate(
    request: { dictId: string; updates: { key: Uint8Array; value: Uint8Array }[]; ifNotExists: boolean },
    options?: CallOptions,
  ): Promise<{ created: boolean }>;
  /** A stream, which the SDK does not retry; without a time limit one that falls silent never ends. */
  dictContents(
    request: { dictId: string; keys: boolean; values: boolean },
    options: { readonly signal: AbortSignal },
  ): AsyncIterable<DictEntry>;
  dictClear(request: { dictId: string }, options?: CallOptions): Promise<unknown>;
  dictDelete(request: { dictId: string }, options?: CallOptions): Promise<unknown>;
}

export interface DictEntry {
  readonly key: Uint8Array;
  /** When it was asked for. */
  readonly value?: Uint8Array | undefined;
}

interface DictKey {
  dictId: string;
  key: Uint8Array;
}

/** `modal.Queue`. Texts only: the SDK's pickler corrupts integers beyond 32 bits. */
export interface SdkQueue {
  put(value: unknown, params: { timeoutMs: number; partition: string }): Promise<void>;
  getMany(n: number, params: { timeoutMs: number; partition: string }): Promise<unknown[]>;
}

export interface ModalSdk {
  readonly cpClient: DictRpc;
  readonly queues: {
    fromName(name: string, params: { createIfMissing: boolean; environment?: string }): Promise<SdkQueue>;
    delete(name: string, params: { allowMissing: boolean; environment?: string }): Promise<void>;
  };
  close(): void;
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '');

export const isQueueEmpty = (error: unknown): boolean => nameOf(error) === 'QueueEmptyError';
export const isQueueFull = (error: unknown): boolean => nameOf(error) === 'QueueFullError';
export const isUnavailable = (error: unknown): boolean =>
  error instanceof IsomorphError && error.code === 'ERR_UNAVAILABLE';

/** Tries that may hang within the time limit of one operation. */
const SLOW_TRIES = 3;
/** Beyond the first. Every call of ours may be repeated: what must not happen twice carries an operation id. */
const RETRIES = 6;
const DEFAULT_TIMEOUT_MS = 10_000;

export const callOptions = (timeoutMs: number = DEFAULT_TIMEOUT_MS): CallOptions => ({
  timeoutMs: Math.ceil(timeoutMs / SLOW_TRIES),
  retries: RETRIES,
  baseDelay: 20,
});
