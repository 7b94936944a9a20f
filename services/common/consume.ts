import { type ConsumeOptions, type Consumption, consume } from '../../shared/nats/consume.ts';
import { publishDead } from './dead.ts';
import type { ServiceDeps } from './deps.ts';

/** The consume loop as a service runs it: what can never be handled becomes a dead letter. */
export const consumeFor = (
  { connection, log }: Pick<ServiceDeps, 'connection' | 'log'>,
  options: Omit<ConsumeOptions, 'connection' | 'log' | 'bury'>,
): Promise<Consumption> =>
  consume({ ...options, connection, log, bury: (message, given) => publishDead(connection, message, given) });
