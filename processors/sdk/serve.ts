import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { announcement, pong, stats } from './announce.ts';
import type { Work } from './perform.ts';
import { ServedRun } from './served-run.ts';
import {
  type Ended,
  type Identity,
  type Offer,
  type Progress,
  parseOffer,
  parseRequest,
  type StopReason,
} from './worker-wire.ts';

export interface ServeOptions {
  /** `nats://user:password@host:port`, or a connection of the package `@nats-io/transport-node`, which stays open then. */
  readonly nats: string | NatsConnection;
  /** Functions at once. Default 1. */
  readonly slots?: number;
  /** As receipts and operators read it: `[A-Za-z0-9_-]`, at most 64. Default `worker`. */
  readonly name?: string;
  /** Semantic version of what is served. Default `0.0.0`. */
  readonly version?: string;
  /** `sha256:…` or `blake3:…` of the code. Default: SHA-256 of the program's first file, which is all of a bundle. */
  readonly digest?: string;
}

export interface ServedProcessors {
  /** Names this worker in its subjects, for as long as it lives. */
  readonly id: string;
  /** Takes no more, ends what it has, and says so until it is acknowledged. */
  stop(): Promise<void>;
}

/** After the last function: so long are ends repeated that nobody acknowledges. */
const ACKNOWLEDGED_MS = 10_000;
/** Ends that nobody acknowledges are kept: the oldest go. */
const MOST_KEPT = 1_000;
const EXIT_TERMINATED = 143;
const NAMESPACE = /^([a-z0-9][a-z0-9-]{0,31})\/[a-z0-9][a-z0-9-]{0,31}@[1-9][0-9]{0,3}$/;

function namespacesOf(refs: readonly string[]): string[] {
  const namespaces = refs.map((ref) => {
    const namespace = NAMESPACE.exec(ref)?.[1];
    if (namespace === undefined) throw new TypeError(`"${ref}" is no processor: expected ns/name@1`);
    return namespace;
  });
  return [...new Set(namespaces)];
}

function digestOfProgram(): string {
  const [, file = ''] = process.argv;
  const code = file === '' ? '' : readFileSync(file);
  return `sha256:${createHash('sha256').update(code).digest('hex')}`;
}

/** A connection that outlives restarts of its server. */
async function connectTo(url: string, name: string): Promise<NatsConnection> {
  const { connect } = await import('@nats-io/transport-node');
  const { host, username, password, protocol } = new URL(url);
  const login = username === '' ? {} : { user: decodeURIComponent(username), pass: decodeURIComponent(password) };
  return connect({
    servers: host,
    ...login,
    ...(protocol === 'tls:' ? { tls: {} } : {}),
    name,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 200,
    waitOnFirstConnect: true,
  });
}

const stopReasonOf = (data: Uint8Array): StopReason =>
  parseRequest(data)?.reason === 'timed_out' ? 'timed_out' : 'killed';

class Server implements ServedProcessors {
  readonly id = randomBytes(12).toString('hex');
  readonly #works: ReadonlyMap<string, Work>;
  readonly #connection: NatsConnection;
  readonly #isOurs: boolean;
  readonly #identity: Identity;
  readonly #slots: number;
  readonly #startedAt = new Date();
  readonly #runs = new Map<string, ServedRun>();
  readonly #counts = { requests: 0, errors: 0, ms: 0 };
  readonly #offers: Subscription[] = [];
  readonly #others: Subscription[] = [];
  #taken = 0;
  #draining = false;
  #stopped: Promise<void> | undefined;
  #wake: () => void = () => undefined;
  #onStopped: () => void = () => undefined;

  constructor(works: ReadonlyMap<string, Work>, connection: NatsConnection, { nats, ...options }: ServeOptions) {
    this.#works = works;
    this.#connection = connection;
    this.#isOurs = typeof nats === 'string';
    const { name = 'worker', version = '0.0.0', digest = digestOfProgram(), slots = 1 } = options;
    this.#identity = { name, version, digest, scrubs: true };
    this.#slots = slots;
  }

  async listen(): Promise<void> {
    const about = { ...this.#identity, id: this.id };
    const namespaces = namespacesOf([...this.#works.keys()]);
    const info = announcement(about, { refs: [...this.#works.keys()], slots: this.#slots, namespaces });
    this.#answerAs('PING', () => pong(about));
    this.#answerAs('INFO', () => info);
    this.#answerAs('STATS', () => stats(about, { ...this.#counts, startedAt: this.#startedAt }));
    for (const namespace of namespaces) {
      const own = `workers.to.${namespace}.${this.id}`;
      const all = `workers.all.${namespace}`;
      this.#offers.push(this.#on(`${own}.offer`, (message) => this.#offered(message)));
      this.#on(`${own}.contact`, (message) => this.#contacted(message));
      this.#on(`${all}.find`, (message) => this.#asked(message));
      for (const to of [own, all]) {
        this.#on(`${to}.stop`, ({ data }) => this.#runOf(data)?.stop(stopReasonOf(data)));
        this.#on(`${to}.forget`, ({ data }) => this.#forget(data));
      }
    }
    await this.#connection.flush();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#draining = true;
    for (const offers of this.#offers) offers.unsubscribe();
    while ([...this.#runs.values()].some(({ ended }) => ended === undefined)) await this.#change();
    const late = setTimeout(() => this.#forgetAll(), ACKNOWLEDGED_MS);
    while (this.#runs.size > 0) await this.#change();
    clearTimeout(late);
    for (const subscription of this.#others) subscription.unsubscribe();
    if (this.#isOurs) await this.#connection.close();
    this.#onStopped();
  }

  whenStopped(act: () => void): void {
    this.#onStopped = act;
  }

  /** The next time that a run has ended or is forgotten. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #on(subject: string, act: (message: Msg) => void): Subscription {
    const subscription = this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) act(message);
      },
    });
    this.#others.push(subscription);
    return subscription;
  }

  /** ADR-32: to all services, to those of a name, to one. */
  #answerAs(verb: 'PING' | 'INFO' | 'STATS', answer: () => object): void {
    const { name } = this.#identity;
    for (const suffix of ['', `.${name}`, `.${name}.${this.id}`]) {
      this.#on(`$SRV.${verb}${suffix}`, (message) => message.respond(JSON.stringify(answer())));
    }
  }

  #offered(message: Msg): void {
    const offer = parseOffer(message.data);
    const work = offer === undefined ? undefined : this.#works.get(offer.processor);
    const answer = (body: object): boolean => message.respond(JSON.stringify({ v: 1, ...body }));
    if (offer === undefined || work === undefined) return void answer({ answer: 'unknown' });
    const known = this.#runs.get(offer.execution_id);
    if (known !== undefined) known.adopt(offer.dispatcher, offer.contact_ms);
    else if (this.#draining || this.#taken >= this.#slots) return void answer({ answer: 'busy' });
    answer({ answer: 'accepted', by: this.#identity });
    if (known === undefined) this.#start(offer, work);
  }

  #start(offer: Offer, work: Work): void {
    this.#taken += 1;
    this.#counts.requests += 1;
    const run = new ServedRun({
      offer,
      work,
      env: process.env,
      tell: (dispatcher, told) => this.#tell(offer.processor, dispatcher, told),
      onReturned: (exitCode) => {
        this.#taken -= 1;
        this.#counts.errors += exitCode === 0 ? 0 : 1;
        this.#counts.ms += run.runningMs;
      },
    });
    this.#runs.set(run.executionId, run);
    this.#boundKept();
    void run.run();
  }

  #tell(ref: string, dispatcher: string, message: Ended | Progress): void {
    if (message.kind === 'ended') this.#wake();
    if (this.#connection.isClosed()) return;
    const namespace = ref.slice(0, ref.indexOf('/'));
    this.#connection.publish(`workers.from.${namespace}.${this.id}.${dispatcher}`, JSON.stringify(message));
  }

  #contacted(message: Msg): void {
    const dispatcher = parseRequest(message.data)?.dispatcher;
    const runs = [...this.#runs.values()].filter((run) => run.dispatcher === dispatcher);
    for (const run of runs) run.heard();
    message.respond(JSON.stringify({ v: 1, executions: runs.map(({ executionId }) => executionId) }));
  }

  /** Only who has the run answers. */
  #asked(message: Msg): void {
    const { dispatcher, contact_ms } = parseRequest(message.data) ?? {};
    const run = this.#runOf(message.data);
    if (run === undefined || typeof dispatcher !== 'string' || typeof contact_ms !== 'number') return;
    run.adopt(dispatcher, contact_ms);
    const { executionId: execution_id, runningMs: running_ms, ended } = run;
    const found = { v: 1, id: this.id, execution_id, by: this.#identity, running_ms, ...(ended && { ended }) };
    message.respond(JSON.stringify(found));
  }

  #runOf(data: Uint8Array): ServedRun | undefined {
    const id = parseRequest(data)?.execution_id;
    return typeof id === 'string' ? this.#runs.get(id) : undefined;
  }

  #forget(data: Uint8Array): void {
    const run = this.#runOf(data);
    if (run === undefined) return;
    run.forget();
    this.#runs.delete(run.executionId);
    this.#wake();
  }

  #forgetAll(): void {
    for (const run of this.#runs.values()) run.forget();
    this.#runs.clear();
    this.#wake();
  }

  #boundKept(): void {
    const ended = [...this.#runs.values()].filter((run) => run.ended !== undefined);
    for (const run of ended.slice(0, Math.max(0, ended.length - MOST_KEPT))) {
      run.forget();
      this.#runs.delete(run.executionId);
    }
  }
}

/** Those of this process. */
const SERVING = new Set<Server>();

/** SIGTERM and SIGINT: each takes no more and ends what it has, then the process ends. A second one ends it at once. */
function endOnSignals(server: Server): void {
  SERVING.add(server);
  let signalled = false;
  const end = (): void => {
    if (signalled) process.exit(EXIT_TERMINATED);
    signalled = true;
    void server.stop();
  };
  process.on('SIGTERM', end).on('SIGINT', end);
  server.whenStopped(() => {
    process.off('SIGTERM', end).off('SIGINT', end);
    SERVING.delete(server);
    if (signalled && SERVING.size === 0) process.exit(0);
  });
}

/**
 * Serves processors as functions of this process, for plans on the adapter `worker`: each is called with the context that
 * `runProcessor` gives, as often at once as there are slots. What a function throws, and what it must write, means the same.
 * The functions share this process: one that does not return when `ctx.signal` aborts keeps its slot.
 */
export async function serveProcessors(
  functions: Readonly<Record<string, Work>>,
  options: ServeOptions,
): Promise<ServedProcessors> {
  const works = new Map(Object.entries(functions));
  namespacesOf([...works.keys()]);
  const { nats, name = 'worker' } = options;
  const connection = typeof nats === 'string' ? await connectTo(nats, name) : nats;
  const server = new Server(works, connection, options);
  await server.listen();
  endOnSignals(server);
  return server;
}
