import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { connectNats } from '../shared/nats/connect.ts';
import { ALL_CONSUMERS } from '../shared/wire/consumers.ts';
import { STREAMS } from '../shared/wire/streams.ts';

/**
 * What a deployment needs and the server has not, as the user of this URL sees it; undefined when that one may not look.
 * @throws ERR_UNAVAILABLE, ERR_CONFIG when no connection can be made
 */
export async function missingTopology(url: string): Promise<string[] | undefined> {
  const connection = await connectNats({ url, name: 'isomorph-doctor' });
  try {
    return await missingOn(connection);
  } catch {
    // Who may not ask is told by silence or by a refusal.
    return undefined;
  } finally {
    await connection.close();
  }
}

/** Streams, and consumers as `<stream>/<consumer>`, that are not there. */
async function missingOn(connection: NatsConnection): Promise<string[]> {
  const jsm = await jetstreamManager(connection, { checkAPI: false });
  const found = new Set<string>();
  for await (const name of jsm.streams.names()) found.add(name);
  const streams = STREAMS.map(({ name }) => name).filter((name) => !found.has(name));
  const consumers = ALL_CONSUMERS.filter(({ stream }) => found.has(stream)).map(async ({ stream, durable }) => {
    for await (const { name } of jsm.consumers.list(stream)) if (name === durable) return [];
    return [`${stream}/${durable}`];
  });
  return [...streams, ...(await Promise.all(consumers)).flat()];
}
