import { createInbox, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { jsonIn } from '../../../text/json-in.ts';
import {
  ANNOUNCEMENTS,
  type Announcement,
  announcedRefs,
  namespaceOf,
  parseAnnouncement,
  WORKER_LIMITS,
} from '../../../wire/workers.ts';

/** A worker in one namespace. What it announced is a hint: who may hear the namespace is what NATS says. */
export interface KnownWorker {
  readonly namespace: string;
  readonly id: string;
  readonly slots: number;
  readonly refs: Set<string>;
  /** What it announced and, when it was offered, had not. */
  readonly denied: Set<string>;
  /** What it says that it is. */
  readonly announced: Pick<Announcement, 'name' | 'version'> & { readonly digest: string };
}

/** A round of announcements is over so long after it began, */
const ROUND_MS = 1_000;
/** or so long after the last that was heard. */
const QUIET_MS = 100;
/** Of one round. NATS lets a connection answer a few times. */
const MOST_ANNOUNCEMENTS = 4_096;
const MOST_WORKERS = 4_096;
/** What was heard is asked anew after this, so that a new version has work soon. */
const FRESH_MS = 5_000;

const keyOf = (namespace: string, id: string): string => `${namespace} ${id}`;

/** Who announces which processor, by ADR-32. */
export class WorkerDirectory {
  readonly #connection: NatsConnection;
  readonly #workers = new Map<string, KnownWorker>();
  /** What was asked for here. Of anything else nothing is kept: whoever is a worker may announce as much as he likes. */
  readonly #wanted = new Set<string>();
  #round: Promise<void> | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(connection: NatsConnection) {
    this.#connection = connection;
  }

  /** Who announced it, in no order. Asks for announcements in the background when the last were heard long ago. */
  serving(ref: string): readonly KnownWorker[] {
    this.#wanted.add(ref);
    if (performance.now() - this.#askedMs > FRESH_MS) void this.ask();
    return [...this.#workers.values()].filter(({ refs }) => refs.has(ref));
  }

  /** It says that it has no such processor. */
  deny({ namespace, id }: KnownWorker, ref: string): void {
    const known = this.#workers.get(keyOf(namespace, id));
    known?.refs.delete(ref);
    known?.denied.add(ref);
  }

  /** It is gone: nobody listens there. */
  drop({ namespace, id }: KnownWorker): void {
    this.#workers.delete(keyOf(namespace, id));
  }

  /** One round of announcements; who asks meanwhile waits for the same. */
  ask(): Promise<void> {
    this.#round ??= this.#ask().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  async #ask(): Promise<void> {
    this.#askedMs = performance.now();
    if (this.#connection.isClosed()) return;
    const inbox = createInbox();
    let [heard, quiet] = [0, setTimeout(() => undefined, 0)];
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(quiet);
        clearTimeout(latest);
        subscription.unsubscribe();
        resolve();
      };
      const latest = setTimeout(done, ROUND_MS);
      const subscription = this.#connection.subscribe(inbox, {
        max: MOST_ANNOUNCEMENTS,
        callback: (error, message) => {
          // Nobody listens, or the connection is closed.
          if (error !== null || isNoResponders(message)) return done();
          this.#heard(message.data);
          heard += 1;
          clearTimeout(quiet);
          quiet = setTimeout(done, QUIET_MS);
          if (heard === MOST_ANNOUNCEMENTS) done();
        },
      });
      this.#connection.publish(ANNOUNCEMENTS, undefined, { reply: inbox });
    });
  }

  /**
   * Another may announce a worker that is not its own: so what is known of one only grows here, and goes when its own subject has
   * no listener or it says itself that it has no such processor.
   */
  #heard(data: Uint8Array): void {
    const announcement = data.byteLength > WORKER_LIMITS.announcement_bytes ? undefined : readAnnouncement(data);
    if (announcement === undefined) return;
    const { id, name, version, metadata } = announcement;
    for (const ref of announcedRefs(announcement).filter((one) => this.#wanted.has(one))) {
      const namespace = namespaceOf(ref);
      const key = keyOf(namespace, id);
      const known = this.#workers.get(key);
      if (known?.denied.has(ref)) continue;
      if (known !== undefined) known.refs.add(ref);
      else if (this.#workers.size < MOST_WORKERS) {
        const announced = { name, version, digest: metadata.digest };
        this.#workers.set(key, {
          namespace,
          id,
          slots: Number(metadata.slots),
          refs: new Set([ref]),
          denied: new Set(),
          announced,
        });
      }
    }
  }
}

const NO_RESPONDERS = 503;

/** An empty answer with this status: nobody listens where it was asked. */
const isNoResponders = ({ headers }: Msg): boolean => headers?.code === NO_RESPONDERS;

function readAnnouncement(data: Uint8Array): Announcement | undefined {
  const parsed = parseAnnouncement(jsonIn(data));
  return parsed.ok ? parsed.value : undefined;
}
