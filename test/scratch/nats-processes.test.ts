import { suite } from '../harness/suite.ts';
import { countsExactly, LOAD_LIMITS, survivesKills } from './many-processes.ts';
import { NatsForTests } from './nats-server.ts';

const test = suite('nats: many processes', undefined, LOAD_LIMITS);
const server = new NatsForTests();

test.before(() => server.start());
test.after(() => server.stop());

test('messages survive the kills of their consumers', () => survivesKills(server.url));
test('incr of many processes on one key counts exactly', () => countsExactly(server.url));

test.run();
