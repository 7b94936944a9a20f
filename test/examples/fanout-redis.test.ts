import { available, type RunningServer, startRedis } from '../harness/servers/index.ts';
import { EVERYWHERE, onModal, pairs } from './fanout.ts';

const found = await available('redis-server');

let server: RunningServer;
const REDIS = { redis: () => server.url };

const test = onModal('fan-out, on redis');
test.skipUnless(found.ok, found.ok ? '' : found.reason);
test.before(async () => {
  server = await startRedis();
});
test.after(() => server.stop());
pairs(test, REDIS, { ...EVERYWHERE, ...REDIS });
pairs(test, EVERYWHERE, REDIS);
test.run();
