/** A worker made by hand of the wire alone, for what the SDK would not do. */
import { randomBytes } from 'node:crypto';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { fromWorker, namespaceOf, type Offer, toWorker, toWorkers } from '../../shared/wire/workers.ts';

export const DIGEST = `sha256:${'ab'.repeat(32)}`;

export interface HandWorkerOptions {
  readonly connection: NatsConnection;
  readonly ref: string;
  readonly id?: string;
  readonly scrubs?: boolean;
  /** Every offer that arrives. Default: accepts it. */
  readonly onOffer?: (offer: Offer, worker: HandWorker, message: Msg) => void;
}

export class HandWorker {
  readonly id: string;
  readonly offers: Offer[] = [];
  readonly forgotten: string[] = [];
  readonly #options: HandWorkerOptions;

  private constructor(options: HandWorkerOptions) {
    this.#options = options;
    this.id = options.id ?? randomBytes(12).toString('hex');
  }

  static async serve(options: HandWorkerOptions): Promise<HandWorker> {
    const worker = new HandWorker(options);
    const { connection, ref, onOffer = (_, its, message) => its.accept(message) } = options;
    const namespace = namespaceOf(ref);
    const on = (subject: string, act: (message: Msg) => void): void => {
      connection.subscribe(subject, { callback: (error, message) => (error === null ? act(message) : undefined) });
    };
    on('$SRV.INFO', (message) => message.respond(JSON.stringify(worker.announcement())));
    on(toWorker(namespace, worker.id, 'offer'), (message) => {
      const offer = message.json<Offer>();
      worker.offers.push(offer);
      onOffer(offer, worker, message);
    });
    on(toWorker(namespace, worker.id, 'contact'), (message) => {
      const executions = worker.offers.map(({ execution_id }) => execution_id);
      message.respond(JSON.stringify({ v: 1, executions }));
    });
    on(toWorker(namespace, worker.id, 'forget'), (message) => {
      worker.forgotten.push(message.json<{ execution_id: string }>().execution_id);
    });
    on(toWorkers(namespace, 'find'), () => undefined);
    await connection.flush();
    return worker;
  }

  announcement(): object {
    const metadata = { isomorph: '1', digest: DIGEST, processors: this.#options.ref, slots: '64' };
    return { type: 'io.nats.micro.v1.info_response', name: 'by-hand', id: this.id, version: '2.0.0', metadata };
  }

  accept(message: Msg): void {
    const { scrubs = true } = this.#options;
    const by = { name: 'by-hand', version: '2.0.0', digest: DIGEST, scrubs };
    message.respond(JSON.stringify({ v: 1, answer: 'accepted', by }));
  }

  /** Says anything to the dispatcher of an offer, as a message of this worker. */
  say({ dispatcher }: Pick<Offer, 'dispatcher'>, message: unknown): void {
    const { connection, ref } = this.#options;
    const body = typeof message === 'string' ? message : JSON.stringify(message);
    connection.publish(fromWorker(namespaceOf(ref), this.id, dispatcher), body);
  }

  end(offer: Offer, more: Record<string, unknown> = {}): void {
    const outcome = { kind: 'exited', exit_code: 0 };
    this.say(offer, { v: 1, kind: 'ended', execution_id: offer.execution_id, outcome, duration_ms: 1, ...more });
  }
}
