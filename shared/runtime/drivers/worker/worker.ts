import { createInbox, type NatsConnection, nuid } from '@nats-io/transport-node';
import { LRUCache } from 'lru-cache';
import { delay } from '../../../async/delay.ts';
import type { Environment } from '../../../ledger/events.ts';
import type { Processor } from '../../../plan/registry.ts';
import { jsonIn } from '../../../text/json-in.ts';
import {
  type Find,
  type Forget,
  type Found,
  type FromWorker,
  namespaceOf,
  parseFound,
  type Stop,
  toWorkers,
  WORKER_LIMITS,
  type WorkersRequest,
} from '../../../wire/workers.ts';
import type { Report } from '../../contract.ts';
import { fingerprint } from '../../fingerprint.ts';
import { RUN_LIMITS, type RunLimits } from '../../run-limits.ts';
import type { Assignment, RunHandle, RuntimeAdapter, Sought } from '../../runtime.ts';
import { WorkerDirectory } from './directory.ts';
import { MESSAGES_PER_S, WorkerLine } from './line.ts';
import { type Offered, type Offering, offerUntilTaken } from './offering.ts';
import { ranBy, WorkerRun } from './run.ts';

export interface WorkerRuntimeOptions {
  /** Of CORE. It is not closed here. */
  readonly connection: NatsConnection;
  /** Of a dispatcher's session, in milliseconds: a worker that hears nothing for half of it ends its runs. */
  readonly tenureMs?: number;
  /** So long is waited for a worker that announces the processor. */
  readonly unservedMs?: number;
  /** So long is asked for who has a run. */
  readonly findMs?: number;
  readonly limits?: RunLimits;
  /** Of one worker; who says more is not heard for a while. */
  readonly messagesPerS?: number;
}

const TENURE_MS = 30_000;
const UNSERVED_MS = 10_000;
const FIND_MS = 2_000;
const FIND_AGAIN_MS = 250;
/** Of a half of a tenure: contacts that may be lost in a row. */
const CONTACTS = 5;
/** Ends that come again after they were forgotten are answered with that. */
const REMEMBERED = 10_000;

type OnReport = (report: Report) => void;

/**
 * Has executions run by long-lived processes of the user's own that serve processors as functions (docs/worker-contract.md, ADR
 * 115). It starts nothing and isolates nothing. A run belongs to the worker that accepted it, and is found again by asking
 * the workers of its namespace.
 */
export class WorkerRuntime implements RuntimeAdapter {
  readonly adapter = 'worker';
  readonly #connection: NatsConnection;
  readonly #limits: RunLimits;
  readonly #messagesPerS: number;
  readonly #unservedMs: number;
  readonly #findMs: number;
  /** Without contact for so long a worker ends its runs. */
  readonly #contactMs: number;
  readonly #directory: WorkerDirectory;
  /** Names this end towards workers: in their subjects, so no other dispatcher hears what is meant for this. */
  readonly #dispatcher = nuid.next().toLowerCase();
  readonly #lines = new Map<string, WorkerLine>();
  readonly #runs = new Map<string, WorkerRun>();
  readonly #forgotten = new LRUCache<string, true>({ max: REMEMBERED });
  /** Of everything that was run or sought here. */
  readonly #namespaces = new Set<string>();
  readonly #offering: Offering;
  readonly #timer: NodeJS.Timeout;

  constructor({ connection, limits = RUN_LIMITS, ...options }: WorkerRuntimeOptions) {
    this.#connection = connection;
    this.#limits = limits;
    this.#messagesPerS = options.messagesPerS ?? MESSAGES_PER_S;
    this.#contactMs = (options.tenureMs ?? TENURE_MS) / 2;
    this.#unservedMs = options.unservedMs ?? UNSERVED_MS;
    this.#findMs = options.findMs ?? FIND_MS;
    this.#directory = new WorkerDirectory(connection);
    this.#offering = {
      directory: this.#directory,
      lineTo: (namespace, id) => this.#lineTo(namespace, id),
      running: (id) => [...this.#runs.values()].filter(({ line, signal }) => line?.id === id && !signal.aborted).length,
      unservedMs: this.#unservedMs,
      lostMs: this.#lostMs,
    };
    this.#timer = setInterval(() => this.#keepContact(), this.#contactMs / CONTACTS);
    this.#timer.unref();
  }

  async run(assignment: Assignment, onReport?: OnReport): Promise<RunHandle> {
    const { executionId, processor, job, deadlineMs } = assignment;
    const known = this.#runs.get(executionId);
    if (known !== undefined) return known;
    const run = this.#follow(executionId, processor.ref, deadlineMs, onReport);
    const offer: Offered = {
      v: 1,
      execution_id: executionId,
      processor: processor.ref,
      job,
      secrets: processor.secrets.required,
      dispatcher: this.#dispatcher,
      contact_ms: this.#contactMs,
    };
    await offerUntilTaken(run, offer, this.#offering);
    return run;
  }

  async find({ executionId, processor, deadlineMs }: Sought, onReport?: OnReport): Promise<RunHandle | undefined> {
    const known = this.#runs.get(executionId);
    if (known !== undefined) {
      known.alsoTell(onReport);
      return known;
    }
    if (this.#forgotten.has(executionId)) return undefined;
    const namespace = namespaceOf(processor.ref);
    this.#namespaces.add(namespace);
    const found = await this.#ask(executionId, namespace);
    if (found === undefined) return undefined;
    const run = this.#follow(executionId, processor.ref, deadlineMs, onReport);
    run.offeredOn(this.#lineTo(namespace, found.id));
    run.accepted(found.by, found.running_ms);
    if (found.ended?.execution_id === executionId) run.heard(found.ended);
    return run;
  }

  async kill(executionId: string): Promise<void> {
    const run = this.#runs.get(executionId);
    if (run === undefined) {
      const stop: Stop = { v: 1, execution_id: executionId, reason: 'killed' };
      this.#tellAll('stop', stop);
      return;
    }
    run.stop('killed');
    await run.wait();
  }

  async forget(executionId: string): Promise<void> {
    const forget: Forget = { v: 1, execution_id: executionId };
    const run = this.#runs.get(executionId);
    this.#runs.delete(executionId);
    run?.letGo();
    this.#forgotten.set(executionId, true);
    if (run?.line !== undefined) run.line.forget(forget);
    else if (run === undefined) this.#tellAll('forget', forget);
  }

  async environment(processor: Processor, secretNames: readonly string[]): Promise<Environment> {
    if (this.#directory.serving(processor.ref).length === 0) await this.#directory.ask();
    const [one] = this.#directory.serving(processor.ref);
    return fingerprint(processor, secretNames, {
      adapter: this.adapter,
      ...(one === undefined ? { image_digest: '', versions: {} } : ranBy(one.announced)),
      claimed: true,
      region: 'worker',
    });
  }

  /** Functions have no image. */
  async pinImage(): Promise<undefined> {
    return undefined;
  }

  /** Runs go on: they are found by the next process. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const run of this.#runs.values()) run.letGo();
    for (const line of this.#lines.values()) line.close();
  }

  /** By then a worker that heard nothing has ended the run. */
  get #lostMs(): number {
    return this.#contactMs * (1 + 2 / CONTACTS);
  }

  #follow(executionId: string, ref: string, deadlineMs: number, onReport: OnReport | undefined): WorkerRun {
    this.#forgotten.delete(executionId);
    this.#namespaces.add(namespaceOf(ref));
    const run = new WorkerRun({ executionId, ref, deadlineMs, limits: this.#limits, onReport });
    this.#runs.set(executionId, run);
    return run;
  }

  #lineTo(namespace: string, id: string): WorkerLine {
    const key = `${namespace} ${id}`;
    const known = this.#lines.get(key);
    if (known !== undefined) return known;
    const line: WorkerLine = new WorkerLine({
      ...{ namespace, id, connection: this.#connection, dispatcher: this.#dispatcher },
      ...{ limits: this.#limits, messagesPerS: this.#messagesPerS },
      onMessage: (message) => this.#heard(line, message),
    });
    this.#lines.set(key, line);
    return line;
  }

  /** Only of runs that this worker has: it may name any. */
  #heard(line: WorkerLine, message: FromWorker): void {
    const { execution_id } = message;
    const run = this.#runs.get(execution_id);
    if (run?.line === line) run.heard(message);
    else if (this.#forgotten.has(execution_id)) line.forget({ v: 1, execution_id });
  }

  #keepContact(): void {
    const byLine = new Map<WorkerLine, WorkerRun[]>();
    for (const run of this.#runs.values()) {
      if (run.line === undefined || !run.isAccepted) continue;
      const runs = byLine.get(run.line);
      if (runs === undefined) byLine.set(run.line, [run]);
      else runs.push(run);
    }
    for (const [line, runs] of byLine) void this.#contact(line, runs);
    const used = new Set([...this.#runs.values()].map(({ line }) => line));
    for (const [key, line] of this.#lines) {
      if (used.has(line) || performance.now() - line.heardMs < this.#lostMs) continue;
      line.close();
      this.#lines.delete(key);
    }
  }

  async #contact(line: WorkerLine, runs: readonly WorkerRun[]): Promise<void> {
    const has = await line.contact(this.#contactMs / CONTACTS);
    const isSilent = performance.now() - line.heardMs > this.#lostMs;
    for (const run of runs) {
      if (isSilent) run.end({ kind: 'lost', reason: 'its worker is silent' });
      else if (has?.has(run.executionId) === false) run.end({ kind: 'lost', reason: 'its worker does not know it' });
    }
  }

  /** Asks every worker of the namespace; those who do not have it say nothing. */
  async #ask(executionId: string, namespace: string): Promise<Found | undefined> {
    const inbox = createInbox();
    const ask: Find = { v: 1, execution_id: executionId, dispatcher: this.#dispatcher, contact_ms: this.#contactMs };
    const body = JSON.stringify(ask);
    const done = new AbortController();
    let found: Found | undefined;
    const subscription = this.#connection.subscribe(inbox, {
      callback: (error, { data }) => {
        if (error !== null || found !== undefined || data.byteLength > WORKER_LIMITS.answer_bytes) return;
        const parsed = parseFound(jsonIn(data));
        if (!parsed.ok || parsed.value.execution_id !== executionId) return;
        found = parsed.value;
        done.abort();
      },
    });
    const untilMs = performance.now() + this.#findMs;
    while (found === undefined && performance.now() < untilMs && !this.#connection.isClosed()) {
      this.#connection.publish(toWorkers(namespace, 'find'), body, { reply: inbox });
      await delay(FIND_AGAIN_MS, done.signal).catch(() => undefined);
    }
    subscription.unsubscribe();
    return found;
  }

  /**
   * Of a run that is not known here: whoever has it hears of it. In a namespace of which nothing was run or sought here nobody does: its
   * worker hears of no dispatcher then, and ends it.
   */
  #tellAll(request: Extract<WorkersRequest, 'stop' | 'forget'>, body: Stop | Forget): void {
    if (this.#connection.isClosed()) return;
    for (const namespace of this.#namespaces) {
      this.#connection.publish(toWorkers(namespace, request), JSON.stringify(body));
    }
  }
}
