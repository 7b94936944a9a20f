import path from 'node:path';
import { createInterface } from 'node:readline';
import Docker from 'dockerode';
import { startDocker } from '../harness/servers/docker.ts';
import { available } from '../harness/servers/index.ts';
import { loadImage } from '../runtime/local-images.ts';
import { canaryConformance, PROCESSORS } from './flow.ts';
import type { Source } from './search.ts';

const found = await available('docker');

/** When a container of ours begins, is given to an execution, ends. */
const MOMENTS = ['create', 'start', 'rename', 'die'];

interface Watch {
  readonly seen: Source[];
  stop(): Promise<void>;
}

/** What the engine shows of every container of ours, at each moment of its life: afterwards there are none. */
async function watchContainers(
  engine: Docker,
  shown: (inspected: Docker.ContainerInspectInfo) => unknown,
): Promise<Watch> {
  const stopped = new AbortController();
  const type: 'container'[] = ['container'];
  const filters = { type, event: MOMENTS, label: ['dev.isomorph.instance'] };
  const lines = createInterface({ input: await engine.getEvents({ filters, abortSignal: stopped.signal }) });
  const seen: Source[] = [];
  const looks: Promise<void>[] = [];
  const look = async (id: string, moment: string): Promise<void> => {
    // It may be gone already.
    const inspected = await engine
      .getContainer(id)
      .inspect()
      .catch(() => undefined);
    if (inspected === undefined) return;
    seen.push({ place: `container at ${moment}`, bytes: Buffer.from(JSON.stringify(shown(inspected))) });
  };
  lines.on('line', (line) => {
    const { Actor, Action } = JSON.parse(line) as { Actor: { ID: string }; Action: string };
    looks.push(look(Actor.ID, Action));
  });
  return {
    seen,
    async stop() {
      lines.close();
      stopped.abort();
      await Promise.all(looks);
    },
  };
}

/** The environment of a container whose image knows no job line is the one place where the engine shows its secrets. */
const withoutEnvironment = (inspected: Docker.ContainerInspectInfo) => ({
  ...inspected,
  Config: { ...inspected.Config, Env: [] },
});

for (const isBoot of [true, false]) {
  canaryConformance({
    adapter: 'local',
    name: isBoot ? 'local' : 'local, without the boot module',
    missing: found.ok ? undefined : found.reason,
    async prepare(leaker) {
      const docker = await startDocker();
      await loadImage(docker.dockerHost, leaker, { program: path.join(PROCESSORS, 'test_leaker'), isBoot });
      process.env.DOCKER_HOST = docker.dockerHost;
      const engine = new Docker({ socketPath: docker.socketPath });
      const watch = await watchContainers(engine, isBoot ? (inspected) => inspected : withoutEnvironment);
      return {
        env: { DOCKER_HOST: docker.dockerHost },
        async *traces(): AsyncGenerator<Source> {
          if (watch.seen.length === 0) throw new Error('no container was looked at');
          yield* watch.seen;
        },
        async stop() {
          await watch.stop();
          await docker.stop();
        },
      };
    },
  });
}
