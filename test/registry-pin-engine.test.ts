import Docker from 'dockerode';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { parseImageReference } from '../shared/ids/image-reference.ts';
import { EngineImages } from '../shared/providers/docker/engine-images.ts';
import { imageIdentity, matchesReference } from '../shared/runtime/image-identity.ts';
import { loadOfflineImages } from '../tools/images/offline.ts';
import { runCli } from './cli/run-cli.ts';
import { type RegistryFolder, writeRegistry } from './harness/registry-folder.ts';
import { available, type RunningDocker, startDocker } from './harness/servers/index.ts';
import { suite } from './harness/suite.ts';
import { registryFile } from './registry-pin-fixture.ts';

const test = suite('registry pin on a real engine');
const found = await available('docker');
test.skipUnless(found.ok, found.ok ? '' : found.reason);

const NAME = 'isomorph-pin-test/x:1';

let engine: RunningDocker;
let docker: Docker;
let registry: RegistryFolder;

test.before(async () => {
  engine = await startDocker();
  docker = new Docker({ socketPath: engine.socketPath });
  const images = await EngineImages.connect(engine.dockerHost);
  await loadOfflineImages(images, { processorsDir: '/nonexistent', processors: [] });
  await docker.getImage('isomorph/base-node:offline').tag({ repo: 'isomorph-pin-test/x', tag: '1' });
  registry = await writeRegistry({
    x: registryFile('test/x@1', NAME),
    y: registryFile('test/y@1', 'isomorph-pin-test/y:1'),
  });
});

test.after(async () => {
  await Promise.allSettled([docker.getImage(NAME).remove()]);
  await engine?.stop();
  await registry?.remove();
});

test('the pin names the image that the engine has, and its absence is told', async () => {
  const env = { DOCKER_HOST: engine.dockerHost, ISOMORPH_REGISTRY: registry.folder };
  const all = await runCli(['registry', 'pin'], { env });
  assert.is(all.code, 1);
  assert.match(all.stdout, 'test/y@1  the engine has no image isomorph-pin-test/y:1');
  const inspected = await docker.getImage(NAME).inspect();
  const { image } = parse(await registry.text('x')) as { image: string };
  assert.is(image, `${NAME}@${imageIdentity(inspected)}`);
  assert.ok(matchesReference(inspected, parseImageReference(image)));
  const again = await runCli(['registry', 'pin', 'test/x@1'], { env });
  assert.is(again.code, 0);
  assert.match(again.stdout, 'unchanged');
});

test.run();
