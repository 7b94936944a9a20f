import { inspect } from 'node:util';
import { ProcessorError } from './errors.ts';
import type { Job, JobInput } from './job.ts';
import { type Report, reportLine, type Scrub, scrubOf } from './reports.ts';
import { type KvClient, type QueueClient, ScratchClient } from './scratch.ts';
import { download, upload } from './transfer.ts';

export interface InputHandle {
  readonly path: string;
  readonly cid: string;
  /** In bytes. */
  readonly size: number;
  readonly contentType: string;
  /** The whole input. Throws `TransientError` when it cannot be read to its declared size. */
  bytes(): Promise<Uint8Array>;
  /** The whole input as UTF-8; malformed bytes become U+FFFD. */
  text(): Promise<string>;
  /** The input as it arrives, for what does not fit into memory; its size is checked at the end. */
  stream(): AsyncIterable<Uint8Array>;
}

export interface OutputHandle {
  /** The WorldPath this output will have. */
  readonly path: string;
  /** Largest size in bytes. */
  readonly maxBytes: number;
  /** Uploads the whole body, text as UTF-8. Throws a `ProcessorError` with the code of the refusal. */
  write(body: Uint8Array | string): Promise<void>;
}

/** What a processor sees of the world. */
export interface ProcessorContext {
  readonly params: Readonly<Record<string, unknown>>;
  readonly planId: string;
  readonly stepId: string;
  readonly executionId: string;
  readonly processor: string;
  /** Counts from 1. */
  readonly attempt: number;
  /** When the runtime will end this process. */
  readonly deadline: Date;
  /** Aborts when the runtime asks this process to end. */
  readonly signal: AbortSignal;
  /** Names of the inputs that the plan gave, sorted. */
  readonly inputNames: readonly string[];
  /** An input by the name of the registry file. Throws `ERR_INPUT_MISSING` when the plan gave none. */
  input(name: string): InputHandle;
  /** An output by its path in the registry file. Throws `ERR_OUTPUT_UNDECLARED` when it lists no such path. */
  output(relPath: string): OutputHandle;
  /** Keys and values of the plan. Throws `ERR_TOKEN_REFUSED` when the registry file does not list `kv`. */
  readonly kv: KvClient;
  /** A queue of the plan. Throws `ERR_TOKEN_REFUSED` when the registry file does not list `queue`. */
  queue(topic: string): QueueClient;
  /** Tells watchers how far the work is: `fraction` from 0 to 1. */
  progress(fraction: number, message?: string): void;
  /** A secret by the name of the registry file. Throws `ERR_MISSING_SECRET`. Its value is removed from logs. */
  secret(name: string): string;
  /** Writes to the log of the execution. */
  log(...values: unknown[]): void;
}

/** The context together with what only `runProcessor` needs. */
export interface ContextShell {
  readonly context: ProcessorContext;
  readonly scrub: Scrub;
  report(report: Report): void;
  /** Required outputs that were not written, sorted. */
  unwritten(): string[];
}

function inputHandle(name: string, input: JobInput, signal: AbortSignal): InputHandle {
  const bytes = async (): Promise<Uint8Array> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of download(name, input, signal)) chunks.push(chunk);
    return new Uint8Array(Buffer.concat(chunks));
  };
  return {
    path: input.path,
    cid: input.cid,
    size: input.size,
    contentType: input.content_type,
    bytes,
    text: async () => new TextDecoder().decode(await bytes()),
    stream: () => download(name, input, signal),
  };
}

const list = (names: readonly string[]): string => (names.length === 0 ? 'none' : names.join(', '));

/** Builds the context of one job. `write` receives whole lines for standard output. */
export function openContext(
  job: Job,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
  write: { readonly stdout: (line: string) => void; readonly stderr: (line: string) => void },
): ContextShell {
  const secretValues = new Set<string>();
  const scrub = scrubOf(job, secretValues);
  const written = new Set<string>();
  const inputNames = Object.keys(job.inputs).sort();
  const outputNames = Object.keys(job.outputs).sort();
  const report = (entry: Report): void => write.stdout(reportLine(entry, scrub));
  const scratch = new ScratchClient(job.scratch, signal);

  const context: ProcessorContext = {
    params: job.params,
    planId: job.plan_id,
    stepId: job.step_id,
    executionId: job.execution_id,
    processor: job.processor,
    attempt: job.attempt,
    deadline: new Date(job.deadline),
    signal,
    inputNames,
    input(name) {
      const input = Object.hasOwn(job.inputs, name) ? job.inputs[name] : undefined;
      if (input !== undefined) return inputHandle(name, input, signal);
      throw new ProcessorError(`no input "${name}" was given; given: ${list(inputNames)}`, {
        code: 'ERR_INPUT_MISSING',
      });
    },
    output(relPath) {
      const output = Object.hasOwn(job.outputs, relPath) ? job.outputs[relPath] : undefined;
      if (output === undefined) {
        throw new ProcessorError(`"${relPath}" is no declared output; declared: ${list(outputNames)}`, {
          code: 'ERR_OUTPUT_UNDECLARED',
        });
      }
      return {
        path: output.path,
        maxBytes: output.max_bytes,
        async write(body) {
          await upload(relPath, output, new Uint8Array(Buffer.from(body)), signal);
          written.add(relPath);
        },
      };
    },
    kv: scratch.kv,
    queue: (topic) => scratch.queue(topic),
    progress(fraction, message) {
      const bounded = Number.isFinite(fraction) ? { fraction: Math.min(1, Math.max(0, fraction)) } : {};
      report({ isomorph: 'progress', ...bounded, ...(message === undefined ? {} : { message }) });
    },
    secret(name) {
      const value = Object.hasOwn(env, name) ? env[name] : undefined;
      if (value === undefined || value === '') {
        throw new ProcessorError(`the secret ${name} is not set`, { code: 'ERR_MISSING_SECRET' });
      }
      secretValues.add(value);
      return value;
    },
    log(...values) {
      const text = values.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' ');
      write.stderr(`${scrub(text)}\n`);
    },
  };
  const unwritten = (): string[] => outputNames.filter((name) => job.outputs[name]?.required && !written.has(name));
  return { context, scrub, report, unwritten };
}
