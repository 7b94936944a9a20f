import { kvCapabilities } from '../../shared/scratch/kv/open.ts';
import { LOST_ANSWERS, modalServer } from '../harness/modal/under-test.ts';
import { kvAt } from './clients.ts';
import { kvConformance } from './kv-conformance.ts';

/** A machine that is busy with other things must not look like a fault; injected ones answer at once. */
const timeoutMs = 60_000;

const capabilities = await kvCapabilities('modal:');
const calm = modalServer();
const rough = modalServer(LOST_ANSWERS);

kvConformance('modal', () => kvAt('modal:', { ...calm, timeoutMs, restartIs: 'outage' }), capabilities, calm);
kvConformance(
  'modal with lost answers',
  () => kvAt('modal:', { ...rough, timeoutMs, restartIs: 'outage' }),
  capabilities,
  rough,
);
