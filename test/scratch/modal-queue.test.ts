import { queueCapabilities } from '../../shared/scratch/queue/open.ts';
import { LOST_ANSWERS, modalServer } from '../harness/modal/under-test.ts';
import { queueAt } from './clients.ts';
import { queueConformance } from './queue-conformance.ts';

/** A machine that is busy with other things must not look like a fault; injected ones answer at once. */
const timeoutMs = 60_000;

const capabilities = await queueCapabilities('modal:');
const calm = modalServer();
const rough = modalServer(LOST_ANSWERS);

queueConformance('modal', () => queueAt('modal:', { ...calm, timeoutMs, restartIs: 'outage' }), capabilities, calm);
queueConformance(
  'modal with lost answers',
  () => queueAt('modal:', { ...rough, timeoutMs, restartIs: 'outage' }),
  capabilities,
  rough,
);
