import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { ForeignMessage } from '../../shared/journal/snapshot.ts';

/** What every service is given; time is an argument, so that the cores stay pure. */
export interface ServiceDeps {
  readonly connection: NatsConnection;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly onForeign: (message: ForeignMessage) => void;
}
