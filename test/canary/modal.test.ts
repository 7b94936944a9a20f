import path from 'node:path';
import { ControlPlane } from '../harness/modal/control-plane.ts';
import { pushProcessor } from '../harness/modal/test-images.ts';
import { canaryConformance, PROCESSORS } from './flow.ts';
import type { Source } from './search.ts';

const IMAGE = `isomorph.test/test_leaker@sha256:${'ab12'.repeat(16)}`;

canaryConformance({
  adapter: 'modal',
  async prepare(leaker) {
    const plane = new ControlPlane();
    await plane.start();
    Object.assign(process.env, plane.environment);
    await pushProcessor(plane.world, path.join(PROCESSORS, 'test_leaker'), { ...leaker, image: IMAGE });
    return {
      image: IMAGE,
      // What Modal shows of a sandbox to whoever may look at the app.
      async *traces(): AsyncGenerator<Source> {
        for (const { spec, tags } of plane.world.sandboxes.all) {
          const { name, command, cwd } = spec;
          yield { place: 'sandbox', bytes: Buffer.from(JSON.stringify({ name, command, cwd, tags })) };
        }
      },
      stop: () => plane.close(),
    };
  },
});
