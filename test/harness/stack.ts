import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NatsConnection } from '@nats-io/transport-node';
import type { ServiceName } from '../../services/common/services.ts';
import { delay } from '../../shared/async/delay.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { Journal } from '../../shared/journal/journal.ts';
import type { Snapshot } from '../../shared/journal/snapshot.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { openArtifactStore } from '../../shared/world/open.ts';
import { type EmbeddedStack, startEmbeddedStack } from '../../stack/embedded.ts';
import { scaledMs } from './slowness.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));

export interface TestStack {
  readonly stack: EmbeddedStack;
  readonly home: string;
  /** A client without credentials, as users have it. */
  readonly client: NatsConnection;
  /** A connection inside CORE, for what only services may do. */
  readonly core: NatsConnection;
  readonly store: ArtifactStore;
  /** Publishes a plan and returns when the command is stored. */
  submit(plan: unknown): Promise<void>;
  /** The plan once its chain has ended. */
  ended(planId: string): Promise<PlanState>;
  /** The plan as it is now, read afresh. */
  read(planId: string): Promise<Snapshot>;
  stop(): Promise<void>;
}

export interface TestStackOptions {
  readonly services?: readonly ServiceName[];
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the fixtures of the tests. */
  readonly registry?: string;
  readonly processors?: string;
  /** Puts into the home what an earlier stack has left there. */
  readonly prepare?: (home: string) => Promise<void>;
}

/** Waits for the first message that `isIt` accepts, subscribed before `act` runs. */
export async function heard(
  client: NatsConnection,
  subject: string,
  act: () => Promise<unknown> = async () => undefined,
): Promise<string> {
  const subscription = client.subscribe(subject, { max: 1 });
  await client.flush();
  await act();
  for await (const message of subscription) return message.string();
  throw new Error(`${subject} ended without a message`);
}

/** Turns of `wake`, for those who look again after each: none is lost while they are looking. */
class Waker {
  #pending = false;
  #resolve: (() => void) | undefined;

  wake(): void {
    this.#pending = true;
    this.#resolve?.();
  }

  async next(): Promise<void> {
    if (!this.#pending) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
    }
    this.#pending = false;
  }
}

/** Repeats a read while its server is away. */
async function whenAvailable<T>(read: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof IsomorphError) || error.code !== 'ERR_UNAVAILABLE') throw error;
      await delay(50);
    }
  }
}

/** Wakes at each commit of the plan, and after an outage, during which commits may have been missed. */
export async function whenEnded(
  client: NatsConnection,
  planId: string,
  read: () => Promise<Snapshot>,
): Promise<PlanState> {
  const waker = new Waker();
  const subscription = client.subscribe(`ledger.${planId}.plan.*`, { callback: () => waker.wake() });
  const statuses = client.status();
  void (async () => {
    for await (const { type } of statuses) if (type === 'reconnect') waker.wake();
  })();
  // Fails in an outage only, and then the reconnect wakes us.
  await client.flush().catch(() => undefined);
  try {
    for (;;) {
      const { state } = await whenAvailable(read);
      if (state.phase === 'settled' || state.phase === 'rejected') return state;
      await waker.next();
    }
  } finally {
    subscription.unsubscribe();
  }
}

/** The embedded stack on a home of its own, with the test processors. */
export async function startTestStack(options: TestStackOptions = {}): Promise<TestStack> {
  const home = await mkdtemp(path.join(os.tmpdir(), 'isomorph-test-'));
  await options.prepare?.(home);
  const stack = await startEmbeddedStack({
    home,
    env: {
      ...process.env,
      ISOMORPH_REGISTRY: options.registry ?? path.join(FIXTURES, 'registry'),
      ISOMORPH_PROCESSORS: options.processors ?? path.join(FIXTURES, 'processors'),
      ...options.env,
    },
    ...(options.services === undefined ? {} : { services: options.services }),
  });
  const { nats, artifacts } = stack.info;
  const client = await connectNats({ url: nats.url, name: 'test-client' });
  const core = await connectNats({ url: nats.serviceUrl, name: 'test-core' });
  const store = await openArtifactStore(artifacts.url);
  const read = (planId: string): Promise<Snapshot> => new Journal({ connection: core, by: undefined }).read(planId);
  return {
    stack,
    home,
    client,
    core,
    store,
    read,
    async submit(plan) {
      await client.request('plans.submit', typeof plan === 'string' ? plan : JSON.stringify(plan), {
        timeout: scaledMs(10_000),
      });
    },
    ended: (planId) => whenEnded(client, planId, () => read(planId)),
    async stop() {
      await Promise.all([client.close(), core.close(), store.close()]);
      await stack.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}
