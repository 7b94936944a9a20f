/** A consume loop on a real server. */
import { type ConsumerInfo, type JsMsg, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import pino from 'pino';
import { consumeFor } from '../../services/common/consume.ts';
import type { ConsumeOptions, Consumption } from '../../shared/nats/consume.ts';
import { publish } from '../../shared/nats/publish.ts';
import { CONSUMERS } from '../../shared/wire/consumers.ts';
import { type Live, withLive } from '../ledger/live.ts';

export const CONSUMER = CONSUMERS.sampler;
export const silent = pino({ level: 'silent' });

type Options = Parameters<typeof consumeFor>[1] & { readonly log: pino.Logger };

export interface Its {
  readonly connection: NatsConnection;
  send(...bodies: string[]): Promise<void>;
  /** Starts a loop that is stopped with the test. */
  start(handle: ConsumeOptions['handle'], options?: Partial<Options>): Promise<Consumption>;
  info(): Promise<ConsumerInfo>;
}

/** Runs with a server and a stream of its own; what was started is stopped afterwards. */
export function withConsumer(use: (its: Its, server: Live) => Promise<void>): Promise<void> {
  return withLive(async (server) => {
    const connection = await server.connect();
    const started: Consumption[] = [];
    const its: Its = {
      connection,
      async send(...bodies) {
        for (const body of bodies) await publish(connection, 'facts.plan.test', body);
      },
      async start(handle, { log = silent, ...options } = {}) {
        const keyOf = (message: JsMsg): string => String(message.seq);
        const base = { consumer: CONSUMER, keyOf, concurrency: 16, handle, principalOf: async () => undefined };
        const consumption = await consumeFor({ connection, log }, { ...base, ...options });
        started.push(consumption);
        return consumption;
      },
      async info() {
        return (await jetstreamManager(connection)).consumers.info(CONSUMER.stream, CONSUMER.durable);
      },
    };
    try {
      await use(its, server);
    } finally {
      await Promise.all(started.map((one) => one.stop()));
    }
  });
}

/** A promise that somebody else resolves. */
export function gate<T = void>(): { readonly promise: Promise<T>; open(value: T): void } {
  let open: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}
