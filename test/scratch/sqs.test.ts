/** SQS, on moto. */
import { openQueue, queueCapabilities } from '../../shared/scratch/queue/open.ts';
import { available, startMoto } from '../harness/servers/index.ts';
import { queueAt } from './clients.ts';
import { freshPlanId, refused } from './conformance.ts';
import { queueConformance } from './queue-conformance.ts';
import { publish } from './queue-steps.ts';
import { onServer } from './redis-suite-server.ts';
import { Relay } from './relay.ts';

// moto takes any; the SDK wants some.
process.env.AWS_ACCESS_KEY_ID ??= 'test';
process.env.AWS_SECRET_ACCESS_KEY ??= 'test';

// moto forgets an id when its message is deleted; what it does keep is tested in sqs-driver.test.ts.
const REGION = 'sqs://us-east-1?dedupe=none';

// All that is awaited comes before the first suite: uvu starts with what was registered by then.
const [found, capabilities] = await Promise.all([available('moto'), queueCapabilities(REGION)]);

const moto = onServer(found, () => startMoto());
const relay = new Relay();
let url = '';

const server = {
  available: found,
  async start() {
    await moto.start();
    relay.targetPort = Number(new URL(moto.url()).port);
    url = `${REGION}&endpoint=http://${await relay.listen()}`;
  },
  async stop() {
    await relay.close();
    await moto.stop();
  },
};

/** moto holds all in its memory, so a kill would show nothing of SQS: its endpoint goes away instead. */
const restart = () =>
  relay.outage(async () => {
    const queue = await openQueue(url, { retry: { attempts: 1 } });
    await refused(publish(queue, freshPlanId(), 'x'), 'ERR_UNAVAILABLE', 'during the outage');
    await queue.close();
  });

queueConformance('sqs', () => queueAt(url, { restart, restartIs: 'outage' }), capabilities, { server });
