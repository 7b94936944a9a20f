import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import type { Adapter } from '../../shared/ids/adapter.ts';
import { EngineImages } from '../../shared/providers/docker/engine-images.ts';
import { loadRegistry } from '../../shared/registry/registry.ts';
import { loadOfflineImages } from '../../tools/images/offline.ts';
import { available, type RunningDocker, startDocker } from '../harness/servers/index.ts';
import { startTestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const fileOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const PROCESSORS = fileOf('processors');
const PLAN = parse(await readFile(fileOf('examples/penguins/plan.yaml'), 'utf8')) as { steps: { processor: string }[] };
const PLAN_ID = 'penguins';

const found = await available('docker');

const test = suite('one plan on two adapters');
test.skipUnless(found.ok, found.ok ? '' : found.reason);

let docker: RunningDocker;
test.before(async () => {
  docker = await startDocker();
  process.env.DOCKER_HOST = docker.dockerHost;
  const used = new Set(PLAN.steps.map((step) => step.processor));
  const { processors: all } = await loadRegistry(fileOf('registry'));
  const processors = [...all.values()].filter(({ ref }) => used.has(ref));
  const engine = await EngineImages.connect(docker.dockerHost);
  const { skipped } = await loadOfflineImages(engine, { processorsDir: PROCESSORS, processors });
  assert.equal(skipped, []);
});
test.after(() => docker.stop());

interface Ran {
  /** Path → CID of everything that steps wrote. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly receipts: readonly Record<string, unknown>[];
}

async function run(adapter: Adapter): Promise<Ran> {
  const env = { ISOMORPH_ADAPTERS: adapter };
  const its = await startTestStack({ env, registry: fileOf('registry'), processors: PROCESSORS });
  try {
    const table = fileOf('examples/penguins/penguins.csv');
    const input = { worldPath: '/artifacts/inputs/penguins.csv', contentType: 'text/csv' };
    await its.store.put({ ...input, body: createReadStream(table) });
    await its.submit({ ...PLAN, plan_id: PLAN_ID, adapter });
    const state = await its.ended(PLAN_ID);
    assert.is(state.settled?.status, 'succeeded', JSON.stringify(state.settled));
    const written = [...state.artifacts.values()].map(({ path, cid }) => [path, cid] as const);
    const receipts = written.filter(([path]) => path.endsWith('/determinism.json')).sort();
    const read = receipts.map(async ([path]) =>
      JSON.parse(new TextDecoder().decode(await its.store.getBytes({ worldPath: path }))),
    );
    const outputs = written.filter(([path]) => path.startsWith('/artifacts/outputs/'));
    return { outputs: Object.fromEntries(outputs), receipts: await Promise.all(read) };
  } finally {
    await its.stop();
  }
}

test('the plan of the demo gives the same CIDs in containers, and receipts that differ in the environment alone', async () => {
  const [mock, local] = [await run('mock'), await run('local')];
  assert.is(Object.keys(mock.outputs).length, 6);
  assert.equal(local.outputs, mock.outputs);
  assert.is(local.receipts.length, mock.receipts.length);
  for (const [index, receipt] of local.receipts.entries()) {
    const { env_fingerprint, env_fingerprint_hash, memo_key, ...same } = receipt;
    const other = mock.receipts[index] ?? {};
    assert.equal(
      { ...same, env_fingerprint: 0, env_fingerprint_hash: 0, memo_key: 0 },
      {
        ...other,
        ...{ env_fingerprint: 0, env_fingerprint_hash: 0, memo_key: 0 },
      },
    );
    assert.is.not(env_fingerprint_hash, other.env_fingerprint_hash);
    assert.is((env_fingerprint as { adapter?: string }).adapter, 'local');
    // What could make the bytes differ is part of the key under which they may be reused: the image is another.
    assert.is.not(memo_key, other.memo_key);
  }
});

test.run();
