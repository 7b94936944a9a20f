import Docker from 'dockerode';
import { EngineImages } from '../../shared/runtime/drivers/engine-images.ts';
import { loadOfflineImages } from '../../tools/images/offline.ts';
import { startDocker } from '../harness/servers/docker.ts';
import { available } from '../harness/servers/index.ts';
import { canaryConformance, PROCESSORS } from './flow.ts';
import type { Source } from './search.ts';

const found = await available('docker');

canaryConformance({
  adapter: 'local',
  missing: found.ok ? undefined : found.reason,
  async prepare(leaker) {
    const docker = await startDocker();
    const images = await EngineImages.connect(docker.dockerHost);
    await loadOfflineImages(images, { processorsDir: PROCESSORS, processors: [leaker] });
    process.env.DOCKER_HOST = docker.dockerHost;
    const engine = new Docker({ socketPath: docker.socketPath });
    return {
      env: { DOCKER_HOST: docker.dockerHost },
      // What the engine shows of every container of ours that is still there.
      async *traces(): AsyncGenerator<Source> {
        const all = await engine.listContainers({ all: true, filters: { label: ['dev.isomorph.instance'] } });
        for (const { Id } of all) {
          const seen = await engine.getContainer(Id).inspect();
          yield { place: `container ${seen.Name}`, bytes: Buffer.from(JSON.stringify(seen)) };
        }
      },
      stop: () => docker.stop(),
    };
  },
});
