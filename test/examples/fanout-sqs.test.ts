import { available, type RunningServer, startRedis, startSqsServer } from '../harness/servers/index.ts';
import { EVERYWHERE, onModal, pairs } from './fanout.ts';

const redis = await available('redis-server');

const servers: RunningServer[] = [];
const SQS = { sqs: () => `sqs://us-east-1?endpoint=${servers[1]?.url}` };

const test = onModal('fan-out, queue on sqs');
test.skipUnless(redis.ok, redis.ok ? '' : redis.reason);
test.before(async () => {
  servers.push(await startRedis(), await startSqsServer());
});
test.after(async () => {
  await Promise.all(servers.map((server) => server.stop()));
});
pairs(test, { ...EVERYWHERE, redis: () => servers[0]?.url ?? '' }, SQS);
test.run();
