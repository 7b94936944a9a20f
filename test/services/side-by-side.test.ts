import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { jetstreamManager } from '@nats-io/jetstream';
import pg from 'pg';
import * as assert from 'uvu/assert';
import { SERVICES, type ServiceName } from '../../services/common/services.ts';
import { delay } from '../../shared/async/delay.ts';
import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { publish } from '../../shared/nats/publish.ts';
import { readStream } from '../../shared/nats/read.ts';
import { DEAD_STREAM } from '../../shared/wire/dead.ts';
import { factSubject } from '../../shared/wire/facts.ts';
import { LEDGER_STREAM, WHOLE_LEDGER } from '../../shared/wire/ledger.ts';
import { ServiceProcess } from '../harness/service-process.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { makeNextVersion, type NextVersion } from './next-version.ts';

/** Two versions on one ledger, one Postgres and one store, with the same consumers: an upgrade that takes its time. */
const test = suite('this version beside the next one', undefined, { timeoutMs: 240_000 });

/** The gateway writes nothing to the ledger; it is in the process of the stack. */
const KINDS = SERVICES.filter((name) => name !== 'gateway');

let its: TestStack;
let next: NextVersion;
let pool: pg.Pool;
let olds: ReadonlyMap<ServiceName, ServiceProcess> = new Map();
let news: ReadonlyMap<ServiceName, ServiceProcess> = new Map();

const startAll = (root?: string): ReadonlyMap<ServiceName, ServiceProcess> =>
  new Map(KINDS.map((name) => [name, new ServiceProcess(name, its.stack.serviceEnv, root)]));
const stopAll = (all: ReadonlyMap<ServiceName, ServiceProcess>) =>
  Promise.all([...all.values()].map((service) => service.stop()));
const restartAll = (all: ReadonlyMap<ServiceName, ServiceProcess>) =>
  Promise.all([...all.values()].map((service) => service.restart()));

function one(all: ReadonlyMap<ServiceName, ServiceProcess>, name: ServiceName): ServiceProcess {
  const service = all.get(name);
  if (service === undefined) throw new Error(`no ${name}`);
  return service;
}

test.before(async () => {
  [its, next] = await Promise.all([startTestStack({ services: [] }), makeNextVersion()]);
  pool = new pg.Pool({ connectionString: its.stack.info.postgres.url, max: 2 });
  olds = startAll();
});
test.after(async () => {
  await Promise.all([stopAll(olds), stopAll(news), pool?.end()]);
  await Promise.all([its.stop(), next.remove()]);
});

interface Event {
  readonly by: string;
  readonly kind: string;
  readonly plan_id: string;
  readonly prev_hash: string | null;
  readonly seq: number;
  readonly this_hash: string;
  readonly v: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The whole stream, read as if there were no reader: nothing is skipped, and nothing is asked of the code under test. */
async function rawChains(): Promise<ReadonlyMap<string, readonly Event[]>> {
  const chains = new Map<string, Event[]>();
  for await (const { data } of readStream(its.core, { stream: LEDGER_STREAM, filter: WHOLE_LEDGER, fromSeq: 1 })) {
    for (const line of new TextDecoder().decode(data).split('\n')) {
      const event = JSON.parse(line) as Event;
      chains.set(event.plan_id, [...(chains.get(event.plan_id) ?? []), event]);
    }
  }
  return chains;
}

const chainOf = async (planId: string): Promise<readonly Event[]> => (await rawChains()).get(planId) ?? [];

function checkChain(events: readonly Event[]): void {
  let before: Event | undefined;
  for (const event of events) {
    const where = `${event.plan_id} seq ${event.seq} ${event.kind}`;
    assert.is(event.seq, (before?.seq ?? 0) + 1, where);
    assert.is(event.prev_hash, before?.this_hash ?? null, where);
    const { this_hash: hash, ...open } = event;
    assert.is(hash, cidOf(canonicalBytes(open)), where);
    before = event;
  }
}

/** The plan's last event. A plan of the next version is no plan of this one's to the end: the raw stream tells. */
async function settled(planId: string): Promise<Event> {
  for (;;) {
    const last = (await chainOf(planId)).at(-1);
    if (last?.kind === 'plan.settled') return last;
    await delay(200);
  }
}

const isNewForm = ({ kind, v }: Event): boolean =>
  kind === 'plan.reviewed' || (kind === 'execution.scheduled' && v === 3);
const isOldForm = ({ kind, v }: Event): boolean => kind === 'execution.scheduled' && v === 2;

/** Steps one behind the other; the first takes so long. */
const chainPlan = (planId: string, steps: number, firstMs: number) => ({
  plan_id: planId,
  budget: { limit_usd_micro: 100_000 },
  steps: Array.from({ length: steps }, (_, index) => ({
    id: `s${index}`,
    processor: 'test/probe@1',
    params: { value: index, work_ms: index === 0 ? firstMs : 0 },
    ...(index === 0 ? {} : { inputs: { first: { step: `s${index - 1}`, output: 'out.json' } } }),
  })),
  predicates: [{ use: 'artifact.exists@1', path: `/artifacts/outputs/{plan_id}/s${steps - 1}/out.json` }],
});

const started = (planId: string, firstMs: number) =>
  heard(its.client, `ledger.${planId}.execution.started`, () => its.submit(chainPlan(planId, 2, firstMs)));

/** Once the projection has all that the ledger has, and nothing is marked any more. */
async function projectedWhole(): Promise<void> {
  const jsm = await jetstreamManager(its.core);
  const { last_seq: last } = (await jsm.streams.info(LEDGER_STREAM)).state;
  for (;;) {
    const { rows } = await pool.query<{ seq: string; marked: string }>(
      `select (select stream_seq from isomorph.position) as seq, (select count(*) from isomorph.standings) as marked`,
    );
    if (Number(rows[0]?.seq) === last && Number(rows[0]?.marked) === 0) return;
    await delay(100);
  }
}

test('plans that the old ones began, and those that come in while both run, are finished by both', async () => {
  await started('begun', 2_000);
  news = startAll(next.root);
  await Promise.all([...news.values()].map((service) => service.logged((line) => line.includes('"started"'))));
  const { data } = await settled('begun');
  assert.is(data.status, 'succeeded');
  // Which of the two takes a message is chance: plans come in until both have had a hand in one.
  for (let count = 0; ; count += 1) {
    const planId = `both-${count}`;
    await its.submit(chainPlan(planId, 5, 0));
    assert.is((await settled(planId)).data.status, 'succeeded', planId);
    const chain = await chainOf(planId);
    checkChain(chain);
    if (chain.some(isOldForm) && chain.some(isNewForm)) break;
  }
  // Whatever the old projector marked meanwhile, the new one heals without being started anew.
  await projectedWhole();
});

const handedBack = (planId: string) => (line: string) =>
  line.includes(planId) && line.includes('newer than this version');

test('a plan with newer events is handed back by every old one, and finished by the new ones', async () => {
  // The next version alone begins it, and leaves what it commits to the old ones that follow the ledger.
  await Promise.all([stopAll(olds), one(news, 'settler').stop(), one(news, 'projector').stop()]);
  await Promise.all([started('later', 4_000), started('unwanted', 25_000)]);
  await stopAll(news);
  await restartAll(olds);
  const before = await rawChains();
  // Something for everyone: the run ends, a fact and a cancellation come in.
  await its.client.request('plans.cancel', JSON.stringify({ plan_id: 'unwanted' }), { timeout: 10_000 });
  const fact = { kind: 'scratch.kv.changed', data: { key: 'k', op: 'put' } };
  await publish(its.core, factSubject('later', 'scratch.kv.changed'), JSON.stringify(fact));
  await its.submit(chainPlan('meanwhile', 2, 0));
  assert.is((await settled('meanwhile')).data.status, 'succeeded', 'other plans go on');
  await Promise.all([
    ...(['dispatcher', 'settler', 'sampler', 'projector'] as const).map((name) =>
      one(olds, name).logged(handedBack('later')),
    ),
    one(olds, 'admission').logged(handedBack('unwanted')),
  ]);
  const { rows } = await pool.query('select plan_id, standing from isomorph.standings order by plan_id');
  assert.equal(
    rows,
    ['later', 'unwanted'].map((plan_id) => ({ plan_id, standing: 'newer' })),
  );
  const after = await rawChains();
  for (const planId of ['later', 'unwanted']) {
    assert.equal(after.get(planId), before.get(planId), 'the old ones wrote nothing behind it');
  }

  // Alone: each message waits twice as long as before when an old one gets it again. That both get them is the test before.
  await stopAll(olds);
  // The fact first: one that comes after its plan was settled is a dead letter.
  await one(news, 'sampler').restart();
  while (!(await chainOf('later')).some(({ kind }) => kind === 'scratch.kv.changed')) await delay(200);
  await restartAll(news);
  assert.is((await settled('later')).data.status, 'succeeded');
  assert.is((await settled('unwanted')).data.status, 'cancelled');
  const chain = await chainOf('later');
  assert.is(chain.filter(({ kind }) => kind === 'scratch.kv.changed').length, 1);
  assert.ok(chain.some(({ kind }) => kind === 'plan.reviewed'));
});

/** The next version's own command line on the same ledger; throws on another exit code than 0. */
const nextSays = async (...args: string[]): Promise<Record<string, unknown>> => {
  const env = { ...process.env, ISOMORPH_HOME: its.home };
  const main = path.join(next.root, 'bin', 'isomorph.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [main, ...args, '--json'], { env });
  return JSON.parse(stdout);
};

test('nothing is forked, dead or foreign, nobody was alarmed, and the projection is whole', async () => {
  const chains = await rawChains();
  for (const chain of chains.values()) {
    checkChain(chain);
    assert.is(chain.at(-1)?.kind, 'plan.settled');
  }
  const jsm = await jetstreamManager(its.core);
  assert.is((await jsm.streams.info(DEAD_STREAM)).state.messages, 0);
  for (const service of [...olds.values(), ...news.values()]) assert.equal(service.alarms, [], service.name);
  await projectedWhole();
  const { rows } = await pool.query<{ plan_id: string }>("select plan_id from isomorph.plans where phase = 'settled'");
  assert.equal(rows.map((row) => row.plan_id).sort(), [...chains.keys()].sort());
  assert.is((await nextSays('ledger', 'verify')).ok, true);
  assert.is((await nextSays('fsck')).ok, true);
});

test.run();
