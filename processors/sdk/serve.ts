import { randomBytes } from 'node:crypto';
import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { announcement, pong, stats } from './announce.ts';
import { connectTo } from './connect.ts';
import type { Work } from './perform.ts';
import { type ServeOptions, type Serving, servingOf } from './serve-options.ts';
import { ServedRun } from './served-run.ts';
import { type Ended, type Offer, type Progress, parseOffer, parseRequest, type StopReason } from './worker-wire.ts';

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

const stopReasonOf = (data: Uint8Array): StopReason =>
  parseRequest(data)?.reason === 'timed_out' ? 'timed_out' : 'killed';

class Server implements ServedProcessors {
  readonly id = randomBytes(12).toString('hex');
  readonly #works: ReadonlyMap<string, Work>;
  readonly #connection: NatsConnection;
  readonly #isOurs: boolean;
  readonly #serving: Serving;
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

  constructor(works: ReadonlyMap<string, Work>, serving: Serving, connection: NatsConnection, isOurs: boolean) {
    this.#works = works;
    this.#serving = serving;
    this.#connection = connection;
    this.#isOurs = isOurs;
  }

  async listen(): Promise<void> {
    const about = { ...this.#serving.identity, id: this.id };
    const info = announcement(about, this.#serving);
    this.#answerAs('PING', () => pong(about));
    this.#answerAs('INFO', () => info);
    this.#answerAs('STATS', () => stats(about, { ...this.#counts, startedAt: this.#startedAt }));
    for (const namespace of this.#serving.namespaces) {
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
    const { name } = this.#serving.identity;
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
    else if (this.#draining || this.#taken >= this.#serving.slots) return void answer({ answer: 'busy' });
    answer({ answer: 'accepted', by: this.#serving.identity });
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
    const found = { v: 1, id: this.id, execution_id, by: this.#serving.identity, running_ms, ...(ended && { ended }) };
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
 * @throws TypeError with the option and what was expected
 */
export async function serveProcessors(
  functions: Readonly<Record<string, Work>>,
  options: ServeOptions,
): Promise<ServedProcessors> {
  const works = new Map(Object.entries(functions));
  const serving = servingOf([...works.keys()], options);
  const { nats } = options;
  const isOurs = typeof nats === 'string';
  const connection = isOurs ? await connectTo(nats, serving.identity.name) : nats;
  const server = new Server(works, serving, connection, isOurs);
  await server.listen();
  endOnSignals(server);
  return server;
}
