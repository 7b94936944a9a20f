import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { jetstreamManager } from '@nats-io/jetstream';
import pg from 'pg';
import * as assert from 'uvu/assert';
import { delay } from '../../shared/async/delay.ts';
import type { Adapter } from '../../shared/ids/adapter.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import { publish } from '../../shared/nats/publish.ts';
import type { Processor } from '../../shared/plan/registry.ts';
import { loadRegistry } from '../../shared/registry/registry.ts';
import { workConsumer } from '../../shared/wire/consumers.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { artifactsOf, filesOf, messagesOf, rowsOf, tapWire, type Wiretap } from './places.ts';
import { type Canaries, FORMS, type Hit, makeCanaries, type Source, searcherOf } from './search.ts';

/** What one runtime needs and leaves beside the stack. */
export interface Preparation {
  /** For the services. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of the processor, as this runtime knows it. Default: the one of the registry file. */
  readonly image?: string;
  /** What the runtime itself shows of its executions, such as what an engine answers to `inspect`. */
  readonly traces?: (its: TestStack) => AsyncIterable<Source>;
  stop?(): Promise<void>;
}

/** A runtime whose executions try to tell their secrets. */
export interface CanaryRuntime {
  readonly adapter: Adapter;
  /** Tells two of one adapter apart. */
  readonly name?: string;
  /** Reason to leave it out. */
  readonly missing?: string | undefined;
  prepare?(leaker: Processor): Promise<Preparation>;
}

/** The ways of the processor, and how each ends. */
const WAYS = {
  print: 'succeeded',
  split: 'succeeded',
  flood: 'succeeded',
  report: 'failed',
  clip: 'failed',
  throw: 'failed',
  die: 'failed',
} as const;
type Way = keyof typeof WAYS;

const HERE = fileURLToPath(new URL('.', import.meta.url));
const LOOK_AGAIN_MS = 20;
/** Searching hundreds of megabytes for a hundred texts, on a busy machine. */
const TIMEOUT_MS = 300_000;

const planOf = (way: Way, adapter: Adapter) => ({
  plan_id: `canary-${way}`,
  adapter,
  budget: { limit_usd_micro: 10_000_000 },
  steps: [{ id: 'leak', processor: 'test/leaker@1', params: { way } }],
});

const REGISTRY = path.join(HERE, 'registry');
/** Folder of the processors of this test. */
export const PROCESSORS = path.join(HERE, 'processors');

async function leaker(): Promise<Processor> {
  const found = (await loadRegistry(REGISTRY)).processors.get('test/leaker@1');
  if (found === undefined) throw new Error('the registry of this test has no leaker');
  return found;
}

/** A copy of the registry with another image of the processor. */
async function registryWith(image: string | undefined, { image: usual }: Processor): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'isomorph-canary-'));
  await cp(REGISTRY, folder, { recursive: true });
  const file = path.join(folder, 'processors', 'leaker.yaml');
  await writeFile(file, (await readFile(file, 'utf8')).replace(usual, image ?? usual));
  return folder;
}

/** Until the dispatcher has acked its work, and so has tidied up, and everything is projected. */
async function atRest({ core, stack }: TestStack, adapter: Adapter): Promise<void> {
  const manager = await jetstreamManager(core);
  const client = new pg.Client({ connectionString: stack.info.postgres.url });
  await client.connect();
  try {
    for (;;) {
      const { stream, durable } = workConsumer(adapter);
      const { num_pending, num_ack_pending } = await manager.consumers.info(stream, durable);
      const { state } = await manager.streams.info('LEDGER');
      const { rows } = await client.query<{ stream_seq: string }>('select stream_seq from isomorph.position');
      const isProjected = Number(rows[0]?.stream_seq ?? 0) >= state.last_seq;
      if (num_pending + num_ack_pending === 0 && isProjected) return;
      await delay(LOOK_AGAIN_MS);
    }
  } finally {
    await client.end();
  }
}

/** One leak in every kind of place, each with a value and a form of its own. */
async function plantLeaks(its: TestStack, canaries: Canaries): Promise<Hit[]> {
  const planted: Hit[] = [];
  const all = Object.keys(FORMS).flatMap((form) => Object.keys(canaries).map((canary) => ({ canary, form })));
  const textsAt = (place: string): string => {
    planted.push(...all.map((one) => ({ ...one, place })));
    return all.map(({ canary, form }) => `before ${FORMS[form]?.(canaries[canary] ?? '')} after`).join('\n');
  };
  const worldPath = '/artifacts/outputs/canary-planted/log.txt';
  const data = Buffer.from(textsAt(`artifact ${worldPath}`));
  await its.store.putBytes({ worldPath, data, contentType: 'text/plain' });
  await publish(its.core, 'dead.canary.planted', textsAt('stream DEAD'));
  await publish(its.core, 'streams.canary-planted.progress', textsAt('stream STREAMS'));
  const client = new pg.Client({ connectionString: its.stack.info.postgres.url });
  await client.connect();
  await client.query('create table public.planted (told text)');
  await client.query('insert into public.planted values ($1)', [textsAt('table public.planted')]);
  await client.end();
  for (const file of ['logs/services.log.1', 'mock/runs/planted/job.json']) {
    await mkdir(path.dirname(path.join(its.home, file)), { recursive: true });
    await writeFile(path.join(its.home, file), textsAt(`file ${file}`));
  }
  textsAt('wire');
  return planted;
}

async function hitsIn(its: TestStack, canaries: Canaries, wire: Wiretap, { traces }: Preparation): Promise<Hit[]> {
  const search = searcherOf(canaries);
  const hits: Hit[] = [];
  for (const places of [filesOf, messagesOf, rowsOf, artifactsOf, ...(traces ? [traces] : [])]) {
    for await (const source of places(its)) hits.push(...search(source));
  }
  return [...hits, ...(await wire.sources()).flatMap(search)];
}

const textOf = ({ place, canary, form }: Hit): string => `${canary} as ${form} in ${place}`;

/** Two forms of a value may be one text, which is found as the first of them. */
function isFound(planted: Hit, hits: ReadonlySet<string>, canaries: Canaries): boolean {
  const value = canaries[planted.canary] ?? '';
  const text = FORMS[planted.form]?.(value);
  const same = Object.entries(FORMS).filter(([, of]) => of(value) === text);
  return same.some(([form]) => hits.has(textOf({ ...planted, form })));
}

/** Random secrets through all services and one runtime, then searched for in all that is left of it. */
export function canaryConformance(runtime: CanaryRuntime): void {
  const test = suite(`canary ${runtime.name ?? runtime.adapter}`, undefined, { timeoutMs: TIMEOUT_MS });
  test.skipUnless(runtime.missing === undefined, runtime.missing ?? '');
  const canaries = makeCanaries();
  let its: TestStack;
  let wire: Wiretap;

  let prepared: Preparation = {};
  /** What was started, first last. */
  const stops: (() => unknown)[] = [];

  test.before(async () => {
    const processor = await leaker();
    prepared = (await runtime.prepare?.(processor)) ?? {};
    stops.unshift(() => prepared.stop?.());
    const registry = await registryWith(prepared.image, processor);
    stops.unshift(() => rm(registry, { recursive: true, force: true }));
    const secrets = Object.entries(canaries).map(([name, value]) => [`ISOMORPH_SECRET_${name}`, value]);
    its = await startTestStack({
      registry,
      processors: PROCESSORS,
      env: {
        ...prepared.env,
        ...Object.fromEntries(secrets),
        SECRETS_URL: 'env:',
        ISOMORPH_ADAPTERS: runtime.adapter,
        LOG_LEVEL: 'debug',
      },
    });
    stops.unshift(() => its.stop());
    wire = await tapWire(its);
    stops.unshift(() => wire.stop());
  });
  test.after(async () => {
    for (const stop of stops) await stop();
  });

  const logOf = async (way: Way): Promise<string> => {
    const worldPath = `/artifacts/executions/canary-${way}/canary-${way}.leak.1/log.txt`;
    return Buffer.from(await its.store.getBytes({ worldPath })).toString('utf8');
  };

  test('the processor tries to leak in every way, and each time something of it is told', async () => {
    const ways = Object.keys(WAYS) as Way[];
    await Promise.all(ways.map((way) => its.submit(planOf(way, runtime.adapter))));
    const states = await Promise.all(
      ways.map(async (way): Promise<[Way, PlanState]> => [way, await its.ended(`canary-${way}`)]),
    );
    for (const [way, state] of states) {
      const end = [...state.executions.values()][0]?.end;
      assert.is(end?.status, WAYS[way], `${way}: ${JSON.stringify(end)}`);
      assert.match(await logOf(way), /\[secret CANARY_/, `${way} told nothing, so nothing was tried`);
    }
    await atRest(its, runtime.adapter);
  });

  test('no value is anywhere, in any form', async () => {
    const hits = await hitsIn(its, canaries, wire, prepared);
    assert.equal([...new Set(hits.map(textOf))], []);
  });

  test('what is planted is found, in every kind of place and every form', async () => {
    const planted = await plantLeaks(its, canaries);
    const hits = new Set((await hitsIn(its, canaries, wire, prepared)).map(textOf));
    const unseen = planted.filter((one) => !isFound(one, hits, canaries)).map(textOf);
    assert.equal(unseen, []);
  });

  test.run();
}
