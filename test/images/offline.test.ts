import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Docker from 'dockerode';
import * as assert from 'uvu/assert';
import type { Processor } from '../../shared/plan/registry.ts';
import { EngineImages } from '../../shared/providers/docker/engine-images.ts';
import { loadRegistry } from '../../shared/registry/registry.ts';
import { imageIdentity } from '../../shared/runtime/image-identity.ts';
import { whyNoPython } from '../../tools/images/base.ts';
import { loadOfflineImages, makeOfflineImages, type OfflineImages, offlineTag } from '../../tools/images/offline.ts';
import { available, type RunningDocker, startDocker } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { runContainer } from './run-container.ts';

const test = suite('offline images');
const found = await available('docker');
test.skipUnless(found.ok, found.ok ? '' : found.reason);

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const hasCertificates = existsSync('/etc/ssl/certs/ca-certificates.crt');
const registry = await loadRegistry(path.join(PROJECT, 'registry'));

/** A processor as the registry has it, under a name that no other image of a foreign engine has. */
function processor(ref: string, changes: Partial<Processor> = {}): Processor {
  const known = registry.processors.get(ref);
  if (known === undefined) throw new Error(`the registry has no ${ref}`);
  return { ...known, image: `isomorph-images-test/${ref.replace(/@.*$/, '')}:1`, ...changes };
}

const CSV = processor('csv/profile@1');
const THUMBNAIL = processor('media/thumbnail@1');

let work = '';
let engine: RunningDocker;
let docker: Docker;
let images: EngineImages;
let made: OfflineImages;

/** A Python processor and a folder without a program, beside each other. */
async function writeProcessors(dir: string): Promise<Processor[]> {
  await mkdir(path.join(dir, 'test_python'), { recursive: true });
  await mkdir(path.join(dir, 'test_empty'));
  const program = [
    'import hashlib, json, ssl, sys',
    'from words import WORD',
    'job = json.loads(sys.stdin.readline())',
  ];
  const last =
    "print(WORD, job['v'], hashlib.sha256(b'').hexdigest()[:8], len(ssl.create_default_context().get_ca_certs()) > 0)";
  await writeFile(path.join(dir, 'test_python/processor.py'), `${[...program, last].join('\n')}\n`);
  await writeFile(path.join(dir, 'test_python/words.py'), "WORD = 'read'\n");
  return ['test/python@1', 'test/empty@1'].map((ref) => ({
    ...CSV,
    ref,
    image: `isomorph-images-test/${ref.replace(/@.*$/, '')}:1`,
  }));
}

test.before(async () => {
  work = await mkdtemp(path.join(os.tmpdir(), 'isomorph-images-test-'));
  engine = await startDocker();
  docker = new Docker({ socketPath: engine.socketPath });
  images = await EngineImages.connect(engine.dockerHost);
  made = await loadOfflineImages(images, {
    processorsDir: path.join(PROJECT, 'processors'),
    processors: [
      CSV,
      THUMBNAIL,
      { ...CSV, ref: 'gpu/model@1', runtime: { ...CSV.runtime, gpu: { model: 'any', count: 1, mem_gb: 1 } } },
    ],
  });
});

test.after(async () => {
  // On an engine that is not ours nothing stays of the test's own names.
  const names = ['csv/profile', 'media/thumbnail', 'gpu/model', 'test/python'].map(
    (ref) => `isomorph-images-test/${ref}:1`,
  );
  await Promise.allSettled([...names, offlineTag('test/python')].map((name) => docker.getImage(name).remove()));
  await engine?.stop();
  await rm(work, { recursive: true, force: true });
});

const inspect = async (name: string): Promise<Docker.ImageInspectInfo> => {
  const image = await images.inspect(name);
  if (image === undefined) throw new Error(`there is no image ${name}`);
  return image;
};

test('the same sources give the same layers, whoever makes them', async () => {
  const layersIn = async (name: string): Promise<unknown> => {
    const folder = path.join(work, name);
    await mkdir(folder);
    const again = await makeOfflineImages(
      { processorsDir: path.join(PROJECT, 'processors'), processors: [CSV, THUMBNAIL] },
      folder,
    );
    return again.images.map(({ tags, layers }) => [tags[0], ...layers.map(({ diffId }) => diffId)]);
  };
  const [cwd, umask] = [process.cwd(), process.umask(0o077)];
  try {
    process.chdir(work);
    const first = made.images.map(({ tags, layers }) => [tags[0], ...layers.map(({ diffId }) => diffId)]);
    assert.equal(await layersIn('again'), first);
  } finally {
    process.umask(umask);
    process.chdir(cwd);
  }
});

test('the engine has them under both names, on one base layer, as they were made', async () => {
  const base = await inspect('isomorph/base-node:offline');
  for (const [one, { ref, image: name }] of [
    [made.images[1], CSV],
    [made.images[2], THUMBNAIL],
  ] as const) {
    const image = await inspect(name);
    assert.is(image.Id, (await inspect(offlineTag(ref))).Id);
    assert.equal(
      image.RootFS.Layers,
      one?.layers.map(({ diffId }) => diffId),
    );
    assert.is(image.RootFS.Layers?.[0], base.RootFS.Layers?.[0]);
    assert.is(image.Config.User, '65532:65532');
    assert.is(image.Config.WorkingDir, '/app');
    assert.equal(image.Config.Entrypoint, ['node', '/app/boot.mjs', '/app/processor.mjs']);
    assert.equal(image.Config.Labels, { 'dev.isomorph.boot': '1' });
  }
  assert.is.not(imageIdentity(await inspect(CSV.image)), imageIdentity(await inspect(THUMBNAIL.image)));
});

test('what no image can be made of is told with its reason', () => {
  assert.equal(
    made.skipped.map(({ ref }) => ref),
    ['gpu/model@1'],
  );
  assert.match(made.skipped[0]?.reason ?? '', 'GPU');
});

test('a processor starts in its image, by its entrypoint and by that of the registry file', async () => {
  for (const { image: Image, entrypoint } of [CSV, THUMBNAIL]) {
    for (const override of [{}, { Entrypoint: [...entrypoint] }]) {
      const { exitCode, output } = await runContainer(docker, { Image, ...override }, '{"v":2}\n');
      assert.is.not(exitCode, 0);
      assert.match(output, '"isomorph":"error"', `${Image} ${JSON.stringify(override)}: ${output}`);
    }
  }
});

test('nobody is root in them, nothing is there to take over, and native code runs', async () => {
  const look = `
    const { existsSync, statSync } = require('node:fs');
    const sharp = require('/app/node_modules/sharp');
    sharp({ create: { width: 8, height: 8, channels: 3, background: '#123456' } }).webp().toBuffer().then((picture) =>
      console.log(JSON.stringify({
        uid: process.getuid(), shell: existsSync('/bin/sh'), temp: statSync('/tmp').mode & 0o7777,
        cas: existsSync('/etc/ssl/certs/ca-certificates.crt'), bytes: picture.length > 0,
      })));`;
  const { output } = await runContainer(docker, { Image: THUMBNAIL.image, Entrypoint: ['node'], Cmd: ['-e', look] });
  assert.equal(JSON.parse(output), { uid: 65532, shell: false, temp: 0o1777, cas: hasCertificates, bytes: true });
});

test('a Python processor gets the system Python, or a reason where there is none', async () => {
  const dir = path.join(work, 'processors');
  const processors = await writeProcessors(dir);
  const python = await loadOfflineImages(images, { processorsDir: dir, processors });
  const without = await whyNoPython();
  const reasons = python.skipped.map(({ reason }) => reason);
  const noProgram = 'its folder has neither processor.ts nor processor.py';
  assert.equal(reasons, without === undefined ? [noProgram] : [without, noProgram]);
  if (without !== undefined) return;
  const { exitCode, output } = await runContainer(docker, { Image: 'isomorph/test-python:offline' }, '{"v": 1}\n');
  assert.is(output, `read 1 e3b0c442 ${hasCertificates ? 'True' : 'False'}\n`);
  assert.is(exitCode, 0);
});

test.run();
