/** Makes what a suite runs on out of a way to open a client. */

import type { Kv } from '../../shared/scratch/kv/kv.ts';
import { openKv } from '../../shared/scratch/kv/open.ts';
import type { ScratchOptions } from '../../shared/scratch/options.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import type { Queue } from '../../shared/scratch/queue/queue.ts';
import type { RestartKind, UnderTest } from './conformance.ts';
import { MAX_DELIVERIES } from './queue-case.ts';

export interface ClientsOptions extends ScratchOptions {
  restart?(): Promise<void>;
  /** A kill when absent. */
  readonly restartIs?: RestartKind;
  readonly takesInTurn?: boolean;
}

/** Clients that are all closed in the end. */
export async function clientsOf<Client extends { close(): Promise<void> }>(
  openOne: () => Promise<Client>,
  { restart, restartIs, takesInTurn = false }: ClientsOptions = {},
): Promise<UnderTest<Client>> {
  const opened: Client[] = [];
  const open = async (): Promise<Client> => {
    const client = await openOne();
    opened.push(client);
    return client;
  };
  return {
    client: await open(),
    open,
    takesInTurn,
    ...(restart === undefined ? {} : { restart }),
    ...(restartIs === undefined ? {} : { restartIs }),
    async dispose() {
      await Promise.all(opened.map((client) => client.close()));
    },
  };
}

/** Clients of the KV at a URL. */
export const kvAt = (url: string, options: ClientsOptions = {}): Promise<UnderTest<Kv>> =>
  clientsOf<Kv>(() => openKv(url, options), options);

/** Clients of the queues at a URL, as the suite wants them. */
export const queueAt = (url: string, options: ClientsOptions = {}): Promise<UnderTest<Queue>> =>
  clientsOf<Queue>(() => openQueue(url, { ...options, maxDeliveries: MAX_DELIVERIES }), options);
