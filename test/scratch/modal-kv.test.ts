import { kvCapabilities } from '../../shared/scratch/kv/open.ts';
import { ControlPlane } from '../harness/modal/control-plane.ts';
import { kvAt } from './clients.ts';
import { kvConformance } from './kv-conformance.ts';

const plane = new ControlPlane();
await plane.start();
Object.assign(process.env, plane.environment);
const capabilities = await kvCapabilities('modal:');

const restart = async () => {
  await plane.stop();
  await plane.start();
};
const server = { start: async () => undefined, stop: () => plane.stop() };
kvConformance('modal', () => kvAt('modal:', { restart }), capabilities, { server });
