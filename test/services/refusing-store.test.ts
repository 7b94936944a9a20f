import { jetstreamManager } from '@nats-io/jetstream';
import * as assert from 'uvu/assert';
import type { ServiceName } from '../../services/common/services.ts';
import { delay } from '../../shared/async/delay.ts';
import { fsck } from '../../shared/fsck/fsck.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { DEAD_STREAM } from '../../shared/wire/dead.ts';
import { openS3Store } from '../../shared/world/drivers/s3/s3.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { available, type RunningServer, startMoto } from '../harness/servers/index.ts';
import { ServiceProcess } from '../harness/service-process.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { type S3Proxy, startS3Proxy } from '../world/s3-proxy.ts';
import { newBucketUrl, S3_ANY_KEYS } from '../world/s3-store.ts';

/** More refusals than a defect is forgiven, one behind the other, take the half of a minute. */
const test = suite('a store that refuses for a while', undefined, { timeoutMs: 240_000 });
const moto = await available('moto');
test.skipUnless(moto.ok, moto.ok ? '' : moto.reason);

let its: TestStack;
let server: RunningServer;
let proxy: S3Proxy;
const services: ServiceProcess[] = [];
const bucket = newBucketUrl({ url: '' });
/** The one bucket, by way of the proxy or past it. */
function bucketOf({ url }: { readonly url: string }): URL {
  const at = new URL(bucket);
  at.searchParams.set('endpoint', url);
  return at;
}
test.before(async () => {
  [its, server] = await Promise.all([startTestStack({ services: [] }), startMoto()]);
  proxy = await startS3Proxy(server.url);
  const env = {
    ...its.stack.serviceEnv,
    ...{ ARTIFACTS_URL: bucketOf(proxy).href, AWS_ACCESS_KEY_ID: 'any', AWS_SECRET_ACCESS_KEY: 'any' },
  };
  const names: readonly ServiceName[] = ['admission', 'dispatcher', 'settler'];
  for (const name of names) services.push(new ServiceProcess(name, env));
  for (const service of services) await service.logged((line) => line.includes('"started"'));
});
test.after(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await Promise.all([proxy?.close(), server?.stop(), its?.stop()]);
});

const REFUSAL = { status: 403, body: '<Error><Code>AccessDenied</Code></Error>' };

/** Refuses everything until so many requests like this one were refused. */
async function refuses(like: RegExp, times: number): Promise<void> {
  let refused = 0;
  proxy.decide = ({ method, url }) => {
    if (like.test(`${method} ${url}`)) refused += 1;
    return REFUSAL;
  };
  while (refused < times) await delay(50);
  proxy.decide = () => 'pass';
}

test('a command waits, is admitted when the store is back, and is no dead letter; the log tells its age', async () => {
  const refusing = refuses(/^PUT .*\/plans\/patient\//, 10);
  await its.submit(probePlan('patient'));
  await refusing;
  assert.is((await its.ended('patient')).settled?.status, 'succeeded');
  const [line = '{}'] = (await services[0]?.logged((one) => one.includes('ERR_REFUSED'))) ?? [];
  assert.type(JSON.parse(line).age_s, 'number');
});

test('what a plan under way needs of the store is waited for too', async () => {
  await heard(its.client, 'ledger.under-way.plan.admitted', () => its.submit(probePlan('under-way')));
  await refuses(/under-way/, 12);
  assert.is((await its.ended('under-way')).settled?.status, 'succeeded');
  assert.is((await (await jetstreamManager(its.core)).streams.info(DEAD_STREAM)).state.messages, 0);
});

const OWED = 'the receipt is missing: the store did not take it before the plan had to end';

test('cancel and deadline end plans whose receipts and logs are refused, and those receipts are stored later', async () => {
  let isRefusing = true;
  let tellLog: () => void = () => undefined;
  const logRefused = new Promise<void>((resolve) => {
    tellLog = resolve;
  });
  proxy.decide = ({ url = '' }) => {
    if (!isRefusing || !/\/executions\/(stopped|late)\/|\/staging\/(stopped|late)\./.test(url)) return 'pass';
    if (/\/staging\/stopped\./.test(url)) tellLog();
    return REFUSAL;
  };
  // What fails has a log.
  await its.submit(probePlan('stopped', { params: { mode: 'exit1' } }));
  await its.submit(probePlan('late', { params: { mode: 'hang' } }, { timeout_s: 10 }));
  await logRefused;
  await its.submit(probePlan('beside'));
  assert.is((await its.ended('beside')).settled?.status, 'succeeded', 'other plans go on');
  await its.client.request('plans.cancel', JSON.stringify({ plan_id: 'stopped' }));

  const store = await openS3Store(bucketOf(server), { credentials: S3_ANY_KEYS });
  const ends = await Promise.all(['stopped', 'late'].map((planId) => its.ended(planId)));
  const pathOf = (planId: string) => `/artifacts/executions/${planId}/${planId}.probe.1/determinism.json`;
  const told = ends.map(({ planId, settled, artifacts, budget }) => {
    const faults = settled?.faults.map(({ code, pointer }) => `${pointer} ${code}`);
    return [planId, settled?.status, faults, [...artifacts.keys()], budget.held];
  });
  assert.equal(told, [
    ['stopped', 'cancelled', ['/steps/probe ERR_EXIT', '/steps/probe ERR_UNAVAILABLE'], [], 0],
    ['late', 'failed', ['/timeout_s ERR_TIMEOUT', '/steps/probe ERR_UNAVAILABLE'], [], 0],
  ]);
  const { findings } = await fsck({ connection: its.core, store });
  assert.equal(
    findings.map(({ place, message }) => [place, message]).sort(),
    ends.map(({ planId }) => [pathOf(planId), OWED]).sort(),
  );

  isRefusing = false;
  for (const { planId, executions } of ends) {
    const worldPath = pathOf(planId);
    while ((await store.stat(worldPath)) === undefined) await delay(100);
    const bytes = await store.getBytes({ worldPath });
    assert.is(cidOf(bytes), executions.get(`${planId}.probe.1`)?.settled?.receipt_cid);
  }
  assert.equal((await fsck({ connection: its.core, store })).findings, []);
  await store.close();
});

test('a plan whose admitted document alone is refused ends when it is cancelled', async () => {
  proxy.decide = ({ method, url = '' }) => (method === 'GET' && /\/plans\/unread\//.test(url) ? REFUSAL : 'pass');
  await heard(its.client, 'ledger.unread.plan.admitted', () => its.submit(probePlan('unread')));
  await its.client.request('plans.cancel', JSON.stringify({ plan_id: 'unread' }));
  const { settled } = await its.ended('unread');
  assert.equal([settled?.status, settled?.faults.map(({ code }) => code)], ['cancelled', ['ERR_REFUSED']]);
  proxy.decide = () => 'pass';
});

test('so does one that runs, when services that start anew cannot read its document', async () => {
  const running = () => its.submit(probePlan('adrift', { params: { mode: 'hang' } }));
  await heard(its.client, 'ledger.adrift.execution.started', running);
  proxy.decide = ({ method, url = '' }) =>
    method === 'GET' && /\/plans\/adrift\/admitted/.test(url) ? REFUSAL : 'pass';
  await Promise.all(services.slice(1).map((service) => service.restart()));
  await its.client.request('plans.cancel', JSON.stringify({ plan_id: 'adrift' }));
  const { settled, budget, executions } = await its.ended('adrift');
  assert.equal([settled?.status, settled?.faults.map(({ code }) => code)], ['cancelled', ['ERR_REFUSED']]);
  const [execution] = executions.values();
  assert.equal([execution?.end?.status, execution?.settled?.receipt_stored], ['lost', true]);
  assert.equal([budget.held, budget.spent], [0, execution?.reservedUsdMicro], 'what nobody knows costs the reserve');
  proxy.decide = () => 'pass';
});

test('what is named and refused its path keeps no plan open that is cancelled, and is shown later', async () => {
  let isRefusing = true;
  proxy.decide = ({ method, url = '' }) =>
    isRefusing && method === 'PUT' && url.includes('/artifacts/outputs/unshown/') ? REFUSAL : 'pass';
  await heard(its.client, 'ledger.unshown.execution.succeeded', () => its.submit(probePlan('unshown')));
  await its.client.request('plans.cancel', JSON.stringify({ plan_id: 'unshown' }));
  const { settled, artifacts } = await its.ended('unshown');
  assert.equal(
    [settled?.status, settled?.faults.map(({ code }) => code)],
    ['succeeded', ['ERR_UNAVAILABLE']],
    'its step had succeeded before',
  );
  const [named] = artifacts.values();
  const store = await openS3Store(bucketOf(server), { credentials: S3_ANY_KEYS });
  assert.is(await store.stat(named?.path ?? ''), undefined);
  isRefusing = false;
  while ((await store.stat(named?.path ?? '')) === undefined) await delay(100);
  assert.is((await store.stat(named?.path ?? ''))?.cid, named?.cid);
  await store.close();
});

test.run();
