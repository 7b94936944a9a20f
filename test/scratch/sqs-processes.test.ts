import { startSqsServer } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { LOAD_LIMITS, survivesKills } from './many-processes.ts';
import { ALWAYS, onServer } from './suite-server.ts';

const test = suite('sqs: many processes', undefined, LOAD_LIMITS);
const server = onServer(ALWAYS, startSqsServer);
test.before(() => server.start());
test.after(() => server.stop());

test('consumers that are killed at any moment lose nothing, and what was acked is never seen again', () =>
  survivesKills(`sqs://us-east-1?endpoint=${server.url()}`));

test.run();
