import { spawn } from 'node:child_process';
import { access, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Docker from 'dockerode';
import * as assert from 'uvu/assert';
import { EngineImages } from '../../shared/providers/docker/engine-images.ts';
import { isAlive } from '../../stack/process.ts';
import { loadOfflineImages } from '../../tools/images/offline.ts';
import { available, type OwnDocker, startDocker, startOwnDocker } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';

const test = suite('container engine of the tests');
const found = await available('docker');
test.skipUnless(found.ok, found.ok ? '' : found.reason);
const isOwn = found.ok && found.path.endsWith('dockerd');

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

/** Pids of processes that name the folder. */
async function processesOf(dir: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const named = await Promise.all(
    pids.map(async (pid) => (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes(dir)),
  );
  return pids.filter((_, index) => named[index]).map(Number);
}

async function assertNothingIsLeft(socketPath: string): Promise<void> {
  const dir = path.dirname(socketPath);
  assert.equal(await processesOf(dir), []);
  assert.not.match(await readFile('/proc/self/mountinfo', 'utf8'), dir);
  assert.not(await exists(dir), dir);
}

/** A container that runs until it is ended. */
async function startContainer(engine: OwnDocker): Promise<{ docker: Docker; id: string; pid: number }> {
  const images = await EngineImages.connect(engine.dockerHost);
  await loadOfflineImages(images, { processorsDir: '/nonexistent', processors: [] });
  const docker = new Docker({ socketPath: engine.socketPath });
  const container = await docker.createContainer({
    Image: 'isomorph/base-node:offline',
    Cmd: ['-e', 'setInterval(() => 0, 60000)'],
    HostConfig: { NetworkMode: 'none', Init: true, AutoRemove: false },
  });
  await container.start();
  return { docker, id: container.id, pid: (await container.inspect()).State.Pid };
}

test('two starts give an engine that answers', async () => {
  const engines = await Promise.all([startDocker(), startDocker()]);
  for (const { socketPath, dockerHost } of engines) {
    assert.is(dockerHost, `unix://${socketPath}`);
    assert.is((await new Docker({ socketPath }).ping()).toString(), 'OK');
  }
  for (const { stop } of engines) await Promise.all([stop(), stop()]);
  assert.is(await exists(engines[0]?.socketPath ?? ''), !isOwn, 'a foreign engine is left alone');
});

if (isOwn) {
  test('containers outlive a crash of the engine, and nothing outlives its stop', async () => {
    const engine = await startOwnDocker();
    try {
      const { docker, id, pid } = await startContainer(engine);
      await engine.crash();
      assert.ok(await isAlive(pid), 'the container runs on');
      await engine.restart();
      const { State } = await docker.getContainer(id).inspect();
      assert.is(State.Running, true);
      assert.is(State.Pid, pid);
      await engine.stop();
      assert.not(await isAlive(pid));
    } finally {
      await engine.stop();
    }
    await assertNothingIsLeft(engine.socketPath);
  });

  test('a container is ended with an engine that was killed', async () => {
    const engine = await startOwnDocker();
    const { pid } = await startContainer(engine).finally(() => engine.crash());
    await engine.stop();
    assert.not(await isAlive(pid));
    await assertNothingIsLeft(engine.socketPath);
  });

  test('what a killed test left behind is cleared by the next start', async () => {
    const script = fileURLToPath(new URL('./start-engine.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const socketPath = await new Promise<string>((resolve) => createInterface(child.stdout).once('line', resolve));
    child.kill('SIGKILL');
    await ended;
    const next = await startOwnDocker();
    await next.stop();
    await assertNothingIsLeft(socketPath);
  });
}

test.run();
