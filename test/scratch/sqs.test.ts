/** SQS, on fauxqs, and on moto where it is there. */
import { openQueue, queueCapabilities } from '../../shared/scratch/queue/open.ts';
import { type Available, available, type RunningServer, startMoto, startSqsServer } from '../harness/servers/index.ts';
import { queueAt } from './clients.ts';
import { freshPlanId, refused } from './conformance.ts';
import { queueConformance } from './queue-conformance.ts';
import { publish } from './queue-steps.ts';
import { Relay } from './relay.ts';
import { ALWAYS, onServer } from './suite-server.ts';

// moto takes any; the SDK wants some.
process.env.AWS_ACCESS_KEY_ID ??= 'test';
process.env.AWS_SECRET_ACCESS_KEY ??= 'test';

/** Both hold all in memory, so a kill would show nothing of SQS: the endpoint goes away instead. */
function underTest(region: string, found: Available, startOne: () => Promise<RunningServer>, takesInTurn = false) {
  const running = onServer(found, startOne);
  const relay = new Relay();
  let url = '';
  const server = {
    available: found,
    async start() {
      await running.start();
      relay.targetPort = Number(new URL(running.url()).port);
      url = `${region}${region.includes('?') ? '&' : '?'}endpoint=http://${await relay.listen()}`;
    },
    async stop() {
      await relay.close();
      await running.stop();
    },
  };
  const restart = () =>
    relay.outage(async () => {
      const queue = await openQueue(url, { retry: { attempts: 1 } });
      await refused(publish(queue, freshPlanId(), 'x'), 'ERR_UNAVAILABLE', 'during the outage');
      await queue.close();
    });
  return { server, backend: () => queueAt(url, { restart, restartIs: 'outage', takesInTurn }) };
}

const REGION = 'sqs://us-east-1';
/** moto forgets an id when its message is deleted. */
const FORGETFUL = `${REGION}?dedupe=none`;

// All that is awaited comes before the first suite: uvu starts with what was registered by then.
const [moto, capabilities, without] = await Promise.all([
  available('moto'),
  queueCapabilities(REGION),
  queueCapabilities(FORGETFUL),
]);

const onFauxqs = underTest(REGION, ALWAYS, startSqsServer);
// Seen under load, in three of sixty rounds: one message, with one id, for two clients.
const onMoto = underTest(FORGETFUL, moto, startMoto, true);
queueConformance('sqs', onFauxqs.backend, capabilities, { server: onFauxqs.server });
queueConformance('sqs without deduplication', onMoto.backend, without, { server: onMoto.server });
