import { jetstreamManager } from '@nats-io/jetstream';
import * as assert from 'uvu/assert';
import type { ServiceName } from '../../services/common/services.ts';
import { delay } from '../../shared/async/delay.ts';
import { DEAD_STREAM } from '../../shared/wire/dead.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { available, type RunningServer, startMoto } from '../harness/servers/index.ts';
import { ServiceProcess } from '../harness/service-process.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { type S3Proxy, startS3Proxy } from '../world/s3-proxy.ts';
import { newBucketUrl } from '../world/s3-store.ts';

/** More refusals than a defect is forgiven, one behind the other, take the half of a minute. */
const test = suite('a store that refuses for a while', undefined, { timeoutMs: 240_000 });
const moto = await available('moto');
test.skipUnless(moto.ok, moto.ok ? '' : moto.reason);

let its: TestStack;
let server: RunningServer;
let proxy: S3Proxy;
const services: ServiceProcess[] = [];
test.before(async () => {
  [its, server] = await Promise.all([startTestStack({ services: [] }), startMoto()]);
  proxy = await startS3Proxy(server.url);
  const env = {
    ...its.stack.serviceEnv,
    ...{ ARTIFACTS_URL: newBucketUrl(proxy).href, AWS_ACCESS_KEY_ID: 'any', AWS_SECRET_ACCESS_KEY: 'any' },
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

test.run();
