import type { ConformanceOptions } from '../../scratch/conformance.ts';
import { ControlPlane } from './control-plane.ts';
import type { FaultRate } from './faults.ts';

/** A control plane for one suite: it listens while the suite runs, and the SDK in this process goes there. */
export function modalServer(faults?: FaultRate): {
  readonly server: NonNullable<ConformanceOptions['server']>;
  restart(): Promise<void>;
} {
  const plane = new ControlPlane();
  return {
    server: {
      async start() {
        await plane.start();
        Object.assign(process.env, plane.environment);
        if (faults !== undefined) plane.faults.atRandom(faults);
      },
      stop: () => plane.stop(),
    },
    async restart() {
      await plane.stop();
      await plane.start();
    },
  };
}

/** One call in ten fails before it had an effect, or after. */
export const LOST_ANSWERS: FaultRate = { rate: 0.1, seed: 3, kinds: ['unavailable'] };
