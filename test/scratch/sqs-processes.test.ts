import { available, startMoto } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { LOAD, LOAD_LIMITS, survivesKills } from './many-processes.ts';
import { onServer } from './redis-suite-server.ts';

process.env.AWS_ACCESS_KEY_ID ??= 'test';
process.env.AWS_SECRET_ACCESS_KEY ??= 'test';

const found = await available('moto');
const test = suite('sqs: many processes', undefined, LOAD_LIMITS);
test.skipUnless(found.ok, found.ok ? '' : found.reason);

const server = onServer(found, () => startMoto());
test.before(() => server.start());
test.after(() => server.stop());

/** moto takes some 40 requests a second and looks through every message for each. */
const load = { ...LOAD, messages: 300, consumers: 3, kills: 4 };

/** moto works on several requests at once without a lock: of two deletions at the same time one may be lost. And it takes expired handles. */
const losesAcks = true;

test('messages survive the kills of their consumers', () =>
  survivesKills(`sqs://us-east-1?endpoint=${server.url()}`, { load, losesAcks }));

test.run();
