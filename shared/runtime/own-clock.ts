import type { Report } from './contract.ts';
import type { Assignment, RunHandle, RuntimeAdapter, Sought } from './runtime.ts';

/**
 * A runtime that goes by the clock of its machine: deadlines, which are of the ledger's clock, are given to it and to its
 * processors as that machine's, so that each comes when it should however wrong the machine's clock is.
 */
export class OwnClockRuntime implements RuntimeAdapter {
  readonly adapter: RuntimeAdapter['adapter'];
  readonly #runtime: RuntimeAdapter;
  readonly #nowMs: () => number;

  /** @param nowMs the ledger's clock */
  constructor(runtime: RuntimeAdapter, nowMs: () => number) {
    this.adapter = runtime.adapter;
    this.#runtime = runtime;
    this.#nowMs = nowMs;
  }

  run(assignment: Assignment, onReport?: (report: Report) => void): Promise<RunHandle> {
    const deadlineMs = this.#own(assignment.deadlineMs);
    const job = { ...assignment.job, deadline: new Date(deadlineMs).toISOString() };
    return this.#runtime.run({ ...assignment, job, deadlineMs }, onReport);
  }

  find(sought: Sought, onReport?: (report: Report) => void): Promise<RunHandle | undefined> {
    return this.#runtime.find({ ...sought, deadlineMs: this.#own(sought.deadlineMs) }, onReport);
  }

  kill(executionId: string): Promise<void> {
    return this.#runtime.kill(executionId);
  }

  forget(executionId: string): Promise<void> {
    return this.#runtime.forget(executionId);
  }

  environment(...about: Parameters<RuntimeAdapter['environment']>): ReturnType<RuntimeAdapter['environment']> {
    return this.#runtime.environment(...about);
  }

  pinImage(image: string): Promise<string | undefined> {
    return this.#runtime.pinImage(image);
  }

  close(): Promise<void> {
    return this.#runtime.close();
  }

  #own(deadlineMs: number): number {
    return deadlineMs + Date.now() - this.#nowMs();
  }
}
