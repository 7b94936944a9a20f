import { queueCapabilities } from '../../shared/scratch/queue/open.ts';
import { LOST_ANSWERS, modalServer } from '../harness/modal/under-test.ts';
import { queueAt } from './clients.ts';
import { queueConformance } from './queue-conformance.ts';

const capabilities = await queueCapabilities('modal:');
const calm = modalServer();
const rough = modalServer(LOST_ANSWERS);

queueConformance('modal', () => queueAt('modal:', calm), capabilities, calm);
queueConformance('modal with lost answers', () => queueAt('modal:', rough), capabilities, rough);
