/** Does to the services what the faults of a round say. */
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { findByLastArguments } from '../../stack/process.ts';
import { scaledMs } from '../harness/slowness.ts';
import type { Deployment } from './deployment.ts';
import { type Copy, type Fault, faultText } from './faults.ts';

/** Longer than the server waits for an acknowledgement (10 s): what a sleeper holds is delivered to others. */
const ASLEEP_MS = 12_000;
/** When nothing happens any more a fault is done anyway. */
const IMPATIENT_MS = 3_000;

interface Heard {
  readonly kind: string;
  /** The process that an event names, as `<host>-<pid>`. */
  readonly worker: string | undefined;
}

function eventsIn(text: string): Heard[] {
  return text.split('\n').flatMap((line) => {
    try {
      const { kind, data } = JSON.parse(line) as { kind: string; data?: { worker?: string } };
      return [{ kind, worker: data?.worker }];
    } catch {
      // Poison is heard too.
      return [];
    }
  });
}

export class Conductor {
  readonly #deployment: Deployment;
  readonly #tell: (line: string) => void;
  readonly #sleepers: Promise<void>[] = [];

  constructor(deployment: Deployment, tell: (line: string) => void) {
    this.#deployment = deployment;
    this.#tell = tell;
  }

  /** One fault after another, each when its event comes; resolves when all that slept or was cut off is back. */
  async run(faults: readonly Fault[]): Promise<void> {
    for (const fault of faults) {
      const worker = await this.#triggered(fault);
      this.#tell(faultText(fault));
      await this.#do(fault, worker);
    }
    await Promise.all(this.#sleepers);
  }

  async #triggered({ on: { kind, nth } }: Fault): Promise<string | undefined> {
    const { client } = this.#deployment;
    const subscription = client.subscribe('ledger.>');
    subscription.closed.catch(() => undefined);
    const subscribed = new Promise<string | undefined>((resolve) => {
      void (async () => {
        let seen = 0;
        for await (const message of subscription) {
          if (!message.subject.startsWith('ledger.soak-')) continue;
          for (const heard of eventsIn(message.string())) {
            if (heard.kind === kind && ++seen >= nth) resolve(heard.worker);
          }
        }
      })();
    });
    const abort = new AbortController();
    const waited = delay(scaledMs(IMPATIENT_MS), undefined, { signal: abort.signal }).catch(() => undefined);
    const worker = await Promise.race([subscribed, waited]);
    abort.abort();
    subscription.unsubscribe();
    return worker;
  }

  #copyOf(copy: Copy) {
    const found = this.#deployment.copies.get(copy);
    if (found === undefined) throw new Error(`no ${copy} runs`);
    return found;
  }

  #writer(worker: string | undefined): Copy {
    const found = [...this.#deployment.copies].find(([, { pid }]) => worker?.endsWith(`-${pid}`) === true);
    return found?.[0] ?? 'dispatcher-1';
  }

  async #do(fault: Fault, worker: string | undefined): Promise<void> {
    switch (fault.what) {
      case 'kill':
        return this.#copyOf(fault.copy === 'writer' ? this.#writer(worker) : fault.copy).killAndRestart();
      case 'stop':
        return this.#copyOf(fault.copy).restart();
      case 'pause': {
        const copy = this.#copyOf(fault.copy);
        copy.pause();
        this.#sleepers.push(delay(ASLEEP_MS).then(() => copy.resume()));
        return;
      }
      case 'cut': {
        const relay = this.#deployment.relays.get(fault.copy);
        if (relay !== undefined) this.#sleepers.push(relay.outage(() => delay(fault.seconds * 1_000)));
        return;
      }
      case 'kill nats-server':
        return this.#killServer(['-c', path.join(this.#deployment.home, 'nats', 'server.conf')]);
      case 'kill PGlite':
        return this.#killServer(['pglite', path.join(this.#deployment.home, 'postgres', 'data')]);
      case 'delete a consumer':
        return this.#deleteConsumer(fault.stream, fault.durable);
      case 'delete work':
        return this.#deleteWork();
    }
  }

  async #killServer(lastArguments: readonly string[]): Promise<void> {
    for (const pid of await findByLastArguments(lastArguments)) process.kill(pid, 'SIGKILL');
  }

  async #deleteConsumer(stream: string, durable: string): Promise<void> {
    const manager = await jetstreamManager(this.#deployment.core, { checkAPI: false });
    // It may be gone already, or its server away: then nothing is lost by it.
    await manager.consumers.delete(stream, durable).catch(() => undefined);
  }

  async #deleteWork(): Promise<void> {
    const { core } = this.#deployment;
    const consumer = await (await import('@nats-io/jetstream'))
      .jetstream(core)
      .consumers.get('WORK', 'dispatcher-mock-2');
    const taken = await consumer.fetch({ max_messages: 10, expires: 1_000 });
    for await (const message of taken) message.term('the soak deletes it');
  }
}
