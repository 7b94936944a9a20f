import { kvCapabilities } from '../../shared/scratch/kv/open.ts';
import { queueCapabilities } from '../../shared/scratch/queue/open.ts';
import { kvAt, queueAt } from './clients.ts';
import { freshPlanId } from './conformance.ts';
import { kvConformance } from './kv-conformance.ts';
import { queueConformance } from './queue-conformance.ts';

// All that is awaited comes before the first suite: uvu starts with what was registered by then.
const [kv, queue] = await Promise.all([kvCapabilities('memory:'), queueCapabilities('memory:')]);

kvConformance('memory', () => kvAt(`memory:${freshPlanId()}`), kv);
queueConformance('memory', () => queueAt(`memory:${freshPlanId()}`), queue);
