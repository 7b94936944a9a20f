import type { JsMsg } from '@nats-io/jetstream';
import { type ConsumeOptions, type Consumption, consume } from '../../shared/nats/consume.ts';
import type { ConsumerSpec } from '../../shared/wire/consumers.ts';
import { remakeConsumer } from './consumers.ts';
import { publishDead } from './dead.ts';
import type { ServiceDeps } from './deps.ts';
import { type StandingOptions, Standings } from './standing.ts';

interface Options
  extends Omit<ConsumeOptions, 'connection' | 'log' | 'nowMs' | 'bury' | 'consumer' | 'remake'>,
    Partial<Pick<StandingOptions, 'keepQuarantined'>> {
  readonly consumer: ConsumerSpec;
  /** Who is to hear of a dead letter; undefined when nobody knows. */
  principalOf(message: JsMsg, planId: string | undefined): Promise<string | undefined>;
}

type ConsumingDeps = Pick<ServiceDeps, 'connection' | 'log'> & Partial<Pick<ServiceDeps, 'nowMs' | 'saw'>>;

/**
 * The consume loop as a service runs it: what can never be handled becomes a dead letter, and a message of a plan that a
 * later version has written to is handed back. A consumer that is gone is made anew.
 */
export function consumeFor(
  { connection, log, nowMs = Date.now, saw }: ConsumingDeps,
  { keepQuarantined = false, ...options }: Options,
): Promise<Consumption> {
  const standings = new Standings({ log, keepQuarantined, nowMs: () => performance.now(), random: Math.random });
  return consume({
    ...options,
    connection,
    log,
    nowMs,
    delivered(message) {
      saw?.(message.info.timestampNanos / 1_000_000);
      options.delivered?.(message);
    },
    async handle(message, signal) {
      try {
        return await options.handle(message, signal);
      } catch (error) {
        const { deliveryCount: deliveries } = message.info;
        const disposition = standings.dispositionOf(error, { planId: options.planOf?.(message), deliveries });
        if (disposition === undefined) throw error;
        return disposition;
      }
    },
    remake: (reachedSeq) => remakeConsumer(connection, options.consumer, reachedSeq),
    async bury(message, given) {
      const principal = await options.principalOf(message, given.planId);
      await publishDead(connection, message, { ...given, principal });
    },
  });
}
