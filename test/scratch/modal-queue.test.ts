import { queueCapabilities } from '../../shared/scratch/queue/open.ts';
import { ControlPlane } from '../harness/modal/control-plane.ts';
import { queueAt } from './clients.ts';
import { queueConformance } from './queue-conformance.ts';

const plane = new ControlPlane();
await plane.start();
Object.assign(process.env, plane.environment);
const capabilities = await queueCapabilities('modal:');

const restart = async () => {
  await plane.stop();
  await plane.start();
};
const server = { start: async () => undefined, stop: () => plane.stop() };
queueConformance('modal', () => queueAt('modal:', { restart }), capabilities, { server });
