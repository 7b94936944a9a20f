import { kvCapabilities } from '../../shared/scratch/kv/open.ts';
import { queueCapabilities } from '../../shared/scratch/queue/open.ts';
import { available } from '../harness/servers/index.ts';
import { kvAt, queueAt } from './clients.ts';
import { kvConformance } from './kv-conformance.ts';
import { queueConformance } from './queue-conformance.ts';
import { startRedisCluster } from './redis-cluster.ts';
import { onServer } from './suite-server.ts';

// All that is awaited comes before the first suite: uvu starts with what was registered by then.
const [found, kv, queue] = await Promise.all([
  available('redis-server'),
  kvCapabilities('redis://localhost'),
  queueCapabilities('redis://localhost'),
]);

const server = onServer(found, startRedisCluster);

kvConformance('redis cluster', () => kvAt(server.url()), kv, { server });
queueConformance('redis cluster', () => queueAt(server.url()), queue, { server });
