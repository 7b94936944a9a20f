import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { ForeignMessage } from '../../shared/journal/snapshot.ts';

/** What every service is given; time is an argument, so that the cores stay pure. */
export interface ServiceDeps {
  readonly connection: NatsConnection;
  readonly log: Logger;
  /** The clock of the NATS server (Law 7). */
  readonly nowMs: () => number;
  /** Told when the server stored what is read here: its clock is not behind that. */
  readonly saw?: (serverMs: number) => void;
  readonly onForeign: (message: ForeignMessage) => void;
}
