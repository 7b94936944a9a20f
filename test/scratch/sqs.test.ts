/** SQS, on moto. */
import { queueCapabilities } from '../../shared/scratch/queue/open.ts';
import { available, startMoto } from '../harness/servers/index.ts';
import { queueAt } from './clients.ts';
import { runConformance } from './conformance.ts';
import { queueBasicCases } from './queue-cases-basic.ts';
import { queueDeadCases } from './queue-cases-dead.ts';
import { queueDelayCases } from './queue-cases-delay.ts';
import { queueReceiptCases } from './queue-cases-receipt.ts';
import { onServer } from './redis-suite-server.ts';

// moto takes any; the SDK wants some.
process.env.AWS_ACCESS_KEY_ID ??= 'test';
process.env.AWS_SECRET_ACCESS_KEY ??= 'test';

const cases = [...queueBasicCases, ...queueReceiptCases, ...queueDelayCases, ...queueDeadCases].filter(
  // SQS does not tell messages that are put off from others: its numbers are tested in sqs-driver.test.ts.
  ({ title }) => title !== 'stats tell what is ready, in flight, delayed and dead',
);

// moto forgets an id when its message is deleted; what it does keep is tested in sqs-driver.test.ts.
const REGION = 'sqs://us-east-1?dedupe=none';

// All that is awaited comes before the first suite: uvu starts with what was registered by then.
const [found, capabilities] = await Promise.all([available('moto'), queueCapabilities(REGION)]);

const server = onServer(found, () => startMoto());
const make = () => queueAt(`${REGION}&endpoint=${server.url()}`);

runConformance({ primitive: 'queue', driver: 'sqs', capabilities, cases, make, server });
