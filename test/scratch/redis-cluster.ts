/** A Redis cluster of three nodes on loopback, each with a third of the slots. */
import { Redis } from 'ioredis';
import { freeLoopbackPort } from '../../stack/process.ts';
import { type RunningServer, startRedis } from '../harness/servers/index.ts';

const THIRDS = [
  [0, 5460],
  [5461, 10_922],
  [10_923, 16_383],
] as const;

export async function startRedisCluster(): Promise<RunningServer> {
  const nodes = await Promise.all(
    THIRDS.map(async () => {
      // Else the bus would take port + 10000, which may not exist.
      const busPort = await freeLoopbackPort();
      const server = await startRedis(['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`]);
      return { server, busPort, client: new Redis(server.url) };
    }),
  );
  const [first] = nodes;
  if (first === undefined) throw new Error('no node was started');
  for (const [index, { client, server, busPort }] of nodes.entries()) {
    const [from, to] = THIRDS[index] ?? [0, 0];
    await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    if (index > 0) await first.client.call('CLUSTER', 'MEET', '127.0.0.1', server.port, busPort);
  }
  for (const { client } of nodes) {
    while (!String(await client.call('CLUSTER', 'INFO')).includes('cluster_state:ok')) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    client.disconnect();
  }
  const others = nodes.slice(1).map(({ server }) => `&node=127.0.0.1:${server.port}`);
  return {
    ...first.server,
    url: `${first.server.url}?cluster=true${others.join('')}`,
    stop: async () => {
      await Promise.all(nodes.map(({ server }) => server.stop()));
    },
  };
}
