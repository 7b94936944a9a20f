import { available, startRedis } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { countsExactly, LOAD_LIMITS, survivesKills } from './many-processes.ts';
import { onServer } from './suite-server.ts';

const found = await available('redis-server');
const test = suite('redis: many processes', undefined, LOAD_LIMITS);
test.skipUnless(found.ok, found.ok ? '' : found.reason);

const server = onServer(found, () => startRedis());
test.before(() => server.start());
test.after(() => server.stop());

test('messages survive the kills of their consumers', () => survivesKills(server.url()));
test('incr of many processes on one key counts exactly', () => countsExactly(server.url()));

test.run();
