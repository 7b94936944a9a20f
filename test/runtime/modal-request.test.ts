/** What Modal is asked for, and what it is not told. */
import { ModalClient } from 'modal';
import * as assert from 'uvu/assert';
import type { Processor } from '../../shared/plan/registry.ts';
import { ModalRuntime } from '../../shared/runtime/drivers/modal/modal.ts';
import { objectNameOf, placeOf } from '../../shared/runtime/drivers/modal/place.ts';
import type { Assignment, RunResult } from '../../shared/runtime/runtime.ts';
import { type ModalUnderTest, modalUnderTest, withGpu } from '../harness/modal/runtime.ts';
import { suite } from '../harness/suite.ts';

const test = suite('modal runtime: requests');
let its: ModalUnderTest;

test.before(async () => {
  its = await modalUnderTest();
});
test.after(() => its.stop());

const SIGNATURE = 'X-Amz-Signature=5f3a';
const SECRET = 'sk-very-secret';

const run = async (one: Assignment): Promise<RunResult> => (await its.runtime.run(one)).wait();
const environmentSeen = (result: RunResult): Record<string, string> =>
  JSON.parse(/^env (.*)$/m.exec(Buffer.from(result.log).toString('utf8'))?.[1] ?? '{}');

/** An execution whose input is at a URL. */
function reading(url: string, runtime: Partial<Processor['runtime']> = {}): Assignment {
  const { actor } = its;
  const one = its.assignment({ mode: 'look' }, { processor: { ...actor, runtime: { ...actor.runtime, ...runtime } } });
  const input = { path: '/artifacts/a', cid: 'blake3:00', size: 1, content_type: 'text/plain', get_url: url };
  return { ...one, job: { ...one.job, inputs: { a: input } } };
}

/** The `Sandbox` that was asked for, as the wire had it. */
function definitionOf(one: Assignment): Record<string, unknown> {
  const [sandbox] = its.sandboxesOf(one);
  if (sandbox === undefined) throw new Error('no sandbox was asked for');
  return (sandbox.spec.request as { readonly definition: Record<string, unknown> }).definition;
}

test('the registry file is asked for: command, limits, life; and tags that say whose it is', async () => {
  const one = its.assignment({}, { deadlineMs: Date.now() + 90_000 });
  await run(one);
  const { entrypoint_args, resources, timeout_secs, name } = definitionOf(one);
  assert.equal(entrypoint_args, ['node', 'processor.ts']);
  const limits = { memory_mb: 128, memory_mb_max: 128, milli_cpu: 250, milli_cpu_max: 250 };
  assert.equal({ ...(resources as object), gpu_config: undefined }, { ...limits, gpu_config: undefined });
  assert.ok(Number(timeout_secs) >= 90 && Number(timeout_secs) <= 121, `${timeout_secs} s`);
  assert.is(name, `iso-${one.executionId}`);
  const tags = Object.fromEntries(its.sandboxesOf(one)[0]?.tags.map((tag) => [tag.tag_name, tag.tag_value]) ?? []);
  assert.is(tags.isomorph_execution, one.executionId);
  assert.equal([tags.isomorph_plan, tags.isomorph_attempt, tags.isomorph_instance], ['plan', '1', 'isomorph']);
});

test('a GPU is asked for by Modal’s name, in a V1 sandbox', async () => {
  const a100 = withGpu(its.actor);
  const gpu = { model: 'a100', count: 2, mem_gb: 80 };
  const one = its.assignment({}, { processor: { ...a100, runtime: { ...a100.runtime, gpu } } });
  await run(one);
  const { resources } = definitionOf(one);
  assert.equal((resources as { gpu_config: object }).gpu_config, { count: 2, gpu_type: 'A100-80GB' });
  assert.is(its.sandboxesOf(one)[0]?.spec.isV2, false);
});

test('regions of the place are asked for, and told by the environment', async () => {
  const runtime = await ModalRuntime.open({ url: 'modal:?region=eu-west,us-east&app=other' });
  const one = its.assignment();
  await (await runtime.run(one)).wait();
  assert.equal(definitionOf(one).scheduler_placement, { regions: ['eu-west', 'us-east'] });
  assert.is((await runtime.environment(its.actor, [])).region, 'eu-west,us-east');
  assert.is(await its.runtime.find(one), undefined, 'another app is another deployment');
  await runtime.close();
});

test('signed URLs go to standard input alone; secret values to the environment of the sandbox alone', async () => {
  for (const gpu of [undefined, { model: 'L4', count: 1, mem_gb: 24 }]) {
    const url = `https://artifacts.example/a?${SIGNATURE}`;
    const asked = reading(url, gpu === undefined ? {} : { gpu });
    const one = { ...asked, secrets: { API_KEY: SECRET } };
    const result = await run(one);
    const [sandbox] = its.sandboxesOf(one);
    assert.not.match(JSON.stringify([sandbox?.spec.request, sandbox?.tags, sandbox?.spec.env]), SIGNATURE);
    assert.not.match(JSON.stringify([definitionOf(one), sandbox?.tags, sandbox?.spec.command]), SECRET);
    assert.is(environmentSeen(result).API_KEY, SECRET);
  }
});

test('a secret that stays with Modal is injected by Modal; one that is not there is named', async () => {
  const client = new ModalClient({ logLevel: 'error' });
  const made = {
    deploymentName: 'HF_TOKEN',
    environmentName: '',
    objectCreationType: 1,
    envDict: { HF_TOKEN: SECRET },
  };
  await client.cpClient.secretGetOrCreate(made);
  const handle = { kind: 'handle', provider: 'modal', environment: '' } as const;
  const one = its.assignment({ mode: 'look' }, { secretHandles: [{ ...handle, name: 'HF_TOKEN' }] });
  const result = await run(one);
  assert.is(environmentSeen(result).HF_TOKEN, SECRET);
  const other = its.assignment({}, { secretHandles: [{ ...handle, name: 'NOT_THERE' }] });
  const { outcome } = await run(other);
  assert.is(outcome.kind, 'not_started');
  if (outcome.kind === 'not_started') assert.match(outcome.reason, 'NOT_THERE');
});

const NETWORKS: readonly (readonly [url: string, network: Processor['runtime']['network'], expected: object])[] = [
  ['https://a.example/x', 'none', { network_access_type: 2, allowed_cidrs: [], allowed_domains: [] }],
  ['https://a.example/x', 'internet', { network_access_type: 1, allowed_cidrs: [], allowed_domains: [] }],
  ['https://a.example/x', 'artifacts', { network_access_type: 3, allowed_cidrs: [], allowed_domains: ['a.example'] }],
  [
    'http://192.0.2.7:9000/x',
    'artifacts',
    { network_access_type: 3, allowed_cidrs: ['192.0.2.7/32'], allowed_domains: [] },
  ],
  [
    'http://[2001:db8::7]/x',
    'artifacts',
    { network_access_type: 3, allowed_cidrs: ['2001:db8::7/128'], allowed_domains: [] },
  ],
];
for (const [url, network, expected] of NETWORKS) {
  test(`network ${network}, artifacts at ${url}`, async () => {
    const one = reading(url, { network });
    await run(one);
    assert.equal(definitionOf(one).network_access, expected);
  });
}

test('artifacts where Modal cannot let a sandbox through alone are refused, not left open', async () => {
  for (const url of ['http://minio:9000/a', 'https://minio.example:9000/a']) {
    const one = reading(url);
    const { outcome } = await run(one);
    assert.is(outcome.kind, 'not_started');
    if (outcome.kind === 'not_started') assert.match(outcome.reason, 'minio');
    assert.equal(its.sandboxesOf(one), []);
  }
});

test('a temp volume is mounted where the processor is to write, and gone when the run is forgotten', async () => {
  const one = reading('https://a.example/x', { scratch_volume_gb: 4 });
  const result = await run(one);
  assert.equal((definitionOf(one).volume_mounts as { mount_path: string }[])[0]?.mount_path, '/scratch');
  assert.is(its.plane.world.volumes.count, 1);
  assert.is(environmentSeen(result).TMPDIR, environmentSeen(result).HOME);
  await its.runtime.forget(one.executionId);
  assert.is(its.plane.world.volumes.count, 0);
});

test('a volume whose sandbox was refused goes too', async () => {
  const asked = reading('https://a.example/x', { scratch_volume_gb: 1 });
  its.plane.faults.atRandom({ methods: ['SandboxCreateV2'], rate: 1, seed: 1, moments: ['before'] });
  const impatient = await its.another({ lostAfterMs: 1 });
  assert.is((await (await impatient.run(asked)).wait()).outcome.kind, 'lost');
  its.plane.faults.clear();
  assert.is(its.plane.world.volumes.count, 1);
  await its.runtime.forget(asked.executionId);
  assert.is(its.plane.world.volumes.count, 0);
});

test('an image without a digest is told by Modal’s own id', async () => {
  const image = 'isomorph.test/test_actor:latest';
  const actor = its.plane.world.images.registry.get(its.actor.image);
  if (actor !== undefined) its.plane.world.images.registry.set(image, actor);
  const environment = await its.runtime.environment({ ...its.actor, image }, []);
  assert.match(environment.image_digest, /^modal:im-/);
  assert.is((await its.runtime.environment({ ...its.actor, image: 'nobody:1' }, [])).image_digest, '');
});

test('names are Modal’s, and no two executions share one', () => {
  const long = `${'p'.repeat(63)}.${'s'.repeat(63)}`;
  const names = ['a.b.1', `${long}.1`, `${long}.2`].map(objectNameOf);
  assert.is(new Set(names).size, 3);
  for (const name of names) assert.match(name, /^[A-Za-z0-9._-]{1,64}$/);
});

test('a place that is not one is refused', () => {
  assert.equal(placeOf('modal:'), { environment: '', app: 'isomorph', regions: [] });
  assert.equal(placeOf('modal:dev?app=a&region=eu'), { environment: 'dev', app: 'a', regions: ['eu'] });
  for (const url of ['modal:?zone=a', 'modal:?app=', 'modal:?region=a,,b', 'modal://host', 'modal:a b', 'nonsense']) {
    assert.throws(
      () => placeOf(url),
      (error: { code?: string }) => error.code === 'ERR_CONFIG',
      url,
    );
  }
});

test('without a token the runtime does not open', async () => {
  const { MODAL_TOKEN_ID } = process.env;
  delete process.env.MODAL_TOKEN_ID;
  try {
    await ModalRuntime.open();
    assert.unreachable('it opened');
  } catch (error) {
    assert.is((error as { code?: string }).code, 'ERR_CONFIG');
    assert.match((error as Error).message, 'token');
  } finally {
    process.env.MODAL_TOKEN_ID = MODAL_TOKEN_ID;
  }
});

test.run();
