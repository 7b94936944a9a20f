import { available, type RunningServer, startMoto, startRedis } from '../harness/servers/index.ts';
import { EVERYWHERE, onModal, pairs } from './fanout.ts';

const installed = await Promise.all([available('redis-server'), available('moto')]);

const servers: RunningServer[] = [];
const SQS = { sqs: () => `sqs://us-east-1?endpoint=${servers[1]?.url}` };

const test = onModal('fan-out, queue on sqs');
for (const found of installed) test.skipUnless(found.ok, found.ok ? '' : found.reason);
test.before(async () => {
  servers.push(await startRedis(), await startMoto());
  // moto takes any; the SDK wants some.
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' });
});
test.after(async () => {
  await Promise.all(servers.map((server) => server.stop()));
});
pairs(test, { ...EVERYWHERE, redis: () => servers[0]?.url ?? '' }, SQS);
test.run();
