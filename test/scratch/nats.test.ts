import { kvCapabilities } from '../../shared/scratch/kv/open.ts';
import { queueCapabilities } from '../../shared/scratch/queue/open.ts';
import { kvAt, queueAt } from './clients.ts';
import { kvConformance } from './kv-conformance.ts';
import { NatsForTests } from './nats-server.ts';
import { queueConformance } from './queue-conformance.ts';

const [kv, queue] = await Promise.all([kvCapabilities('nats:'), queueCapabilities('nats:')]);
const server = new NatsForTests();
const restart = () => server.restart();

kvConformance('nats', () => kvAt(server.url, { restart }), kv, { server });
queueConformance('nats', () => queueAt(server.url, { restart }), queue, { server });
