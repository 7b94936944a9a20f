import type { Adapter } from '../ids/adapter.ts';
import type { Environment } from '../ledger/events.ts';
import type { Processor } from '../plan/registry.ts';
import type { SecretHandle } from '../secrets/secret-value.ts';
import type { Job, Report } from './contract.ts';

/** Everything a runtime needs to run one execution. */
export interface Assignment {
  readonly executionId: string;
  readonly processor: Processor;
  readonly job: Job;
  /** Secret values by name: environment of the processor, held in memory only. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Secrets that the provider of this runtime injects by itself: only ever some for `modal`. */
  readonly secretHandles?: readonly SecretHandle[];
  /** Unix time in milliseconds: the processor is ended then. */
  readonly deadlineMs: number;
}

/** An execution that was started before. Of a processor: who may not run that is not believed when he says that he has it. */
export type Sought = Pick<Assignment, 'executionId' | 'processor' | 'deadlineMs'>;

/** How a run ended, as the runtime saw it. */
export type RunOutcome =
  | { readonly kind: 'exited'; readonly exitCode: number }
  | { readonly kind: 'signalled'; readonly signal: string }
  | { readonly kind: 'timed_out' }
  | { readonly kind: 'killed' }
  | { readonly kind: 'out_of_memory' }
  /** It could not be started: no image, no entrypoint. */
  | { readonly kind: 'not_started'; readonly reason: string }
  /** The engine no longer knows it. */
  | { readonly kind: 'lost'; readonly reason: string };

export interface RunResult {
  readonly outcome: RunOutcome;
  /** Null for a run that was lost, when nobody knows how long it ran. */
  readonly durationMs: number | null;
  /** Log and report lines of the processor, capped; the end is kept. */
  readonly log: Uint8Array;
  /** The last report of each kind that the processor made. */
  readonly error: Extract<Report, { isomorph: 'error' }> | undefined;
  /** What ran it, where only the run can tell. */
  readonly ranBy?: Pick<Environment, 'image_digest' | 'versions'>;
}

/** A run under way. */
export interface RunHandle {
  readonly executionId: string;
  /** Resolves once, when the run has ended and everything it wrote to its log is there. Never rejects. */
  wait(): Promise<RunResult>;
}

/**
 * Runs processors in one kind of place. A run outlives the process that started it: `find` takes it up again.
 * `run` of an execution that already runs or ran here is `find` of it, so that nothing runs twice.
 */
export interface RuntimeAdapter {
  readonly adapter: Adapter;
  /** Starts the execution and tells its reports as they come. Failures to start are an outcome of the handle, not an exception. */
  run(assignment: Assignment, onReport?: (report: Report) => void): Promise<RunHandle>;
  /** The run of an execution that was started before, running or ended, held to its deadline; undefined when there is none. */
  find(sought: Sought, onReport?: (report: Report) => void): Promise<RunHandle | undefined>;
  /** Ends a run: SIGTERM, grace, SIGKILL. Does nothing for one that is not running. */
  kill(executionId: string): Promise<void>;
  /** Drops what is kept of a run, and ends one that goes on all the same. Called when its end is in the ledger. */
  forget(executionId: string): Promise<void>;
  /** Where a processor runs, by names and digests only: for the receipt. */
  environment(processor: Processor, secretNames: readonly string[]): Promise<Environment>;
  /** The reference that pins what an image is now, `name@sha256:…`; undefined when this runtime has none of it, or no tags that move. */
  pinImage(image: string): Promise<string | undefined>;
  close(): Promise<void>;
}
