import { kvCapabilities } from '../../shared/scratch/kv/open.ts';
import { LOST_ANSWERS, modalServer } from '../harness/modal/under-test.ts';
import { kvAt } from './clients.ts';
import { kvConformance } from './kv-conformance.ts';

const capabilities = await kvCapabilities('modal:');
const calm = modalServer();
const rough = modalServer(LOST_ANSWERS);

kvConformance('modal', () => kvAt('modal:', calm), capabilities, calm);
kvConformance('modal with lost answers', () => kvAt('modal:', rough), capabilities, rough);
