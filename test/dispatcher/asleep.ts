/** Two dispatchers at the end of one execution, of which one sleeps, with a processor that goes on sending. */
import pino from 'pino';
import * as assert from 'uvu/assert';
import { Showing } from '../../services/common/showing.ts';
import { type DispatcherDeps, startDispatcher } from '../../services/dispatcher/service.ts';
import { Worker, type WorkerDeps } from '../../services/dispatcher/worker.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { executionId, outputPrefix } from '../../shared/ids/ids.ts';
import { AdmittedPlans } from '../../shared/journal/admitted-plans.ts';
import { Journal } from '../../shared/journal/journal.ts';
import type { Draft, LedgerWriter } from '../../shared/ledger/events.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import { logPath } from '../../shared/plan/left.ts';
import type { Job } from '../../shared/runtime/contract.ts';
import type { Assignment, RunHandle, RuntimeAdapter } from '../../shared/runtime/runtime.ts';
import type { Work } from '../../shared/wire/work.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import type { Available } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { type Live, withLive } from '../ledger/live.ts';
import { admitted, ENVIRONMENT, START_MS, scheduled, submitted } from '../ledger/plan-history.ts';
import { planOf, step } from '../plan/admitted-plan.ts';
import type { StoreUnderTest } from '../world/store-under-test.ts';

const PLAN = 'asleep';
const EXECUTION = executionId(PLAN, 'probe', 1);
const OUT = `${outputPrefix(PLAN, 'probe')}out.json`;
const LOG = logPath(PLAN, EXECUTION);

const document = {
  ...planOf([step('probe', { write_prefix: outputPrefix(PLAN, 'probe') })], { plan_id: PLAN }),
};

/** Every look at its run tells another log, and it sends its output whenever it is told to. */
class RestlessRuntime implements RuntimeAdapter {
  readonly adapter = 'mock';
  #job: Job | undefined;
  #looks = 0;

  async run({ job }: Assignment): Promise<RunHandle> {
    this.#job = job;
    await this.send('first');
    return this.#handle();
  }

  async find(): Promise<RunHandle | undefined> {
    return this.#job === undefined ? undefined : this.#handle();
  }

  #handle(): RunHandle {
    this.#looks += 1;
    const log = new TextEncoder().encode(`look ${this.#looks}\n`);
    const outcome = { kind: 'exited', exitCode: 0 } as const;
    return {
      executionId: EXECUTION,
      wait: async () => ({ outcome, durationMs: 5 + this.#looks, log, error: undefined }),
    };
  }

  /** @returns the status of each answer */
  async send(text: string): Promise<number[]> {
    const outputs = Object.values(this.#job?.outputs ?? {});
    return Promise.all(
      outputs.map(async ({ put_url, put_headers, content_type }) => {
        const headers = { ...put_headers, 'content-type': content_type };
        const answer = await fetch(put_url, { method: 'PUT', body: text, headers });
        await answer.arrayBuffer();
        return answer.status;
      }),
    );
  }

  async kill(): Promise<void> {
    // It has ended.
  }
  async forget(): Promise<void> {
    // Nothing is kept.
  }
  async environment() {
    return ENVIRONMENT;
  }
  async pinImage() {
    return undefined;
  }
  async close(): Promise<void> {
    // Nothing is open.
  }
}

type Step = 'seal' | 'sealBytes' | 'checkFree' | 'show' | 'dropUploads';

/** A store whose user falls asleep at a step, before or after the store did it. */
function sleepingAt(store: ArtifactStore, name: Step, when: 'before' | 'after') {
  let wake = (): void => undefined;
  const awake = new Promise<void>((resolve) => {
    wake = resolve;
  });
  let fellAsleep = (): void => undefined;
  const asleep = new Promise<void>((resolve) => {
    fellAsleep = resolve;
  });
  const sleep = async (): Promise<void> => {
    fellAsleep();
    await awake;
  };
  const handler: ProxyHandler<ArtifactStore> = {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]) => {
        if (property === name && when === 'before') await sleep();
        const result: unknown = await Reflect.apply(member, target, args);
        if (property === name && when === 'after') await sleep();
        return result;
      };
    },
  };
  return { store: new Proxy(store, handler), asleep, wake };
}

interface Scene {
  readonly under: StoreUnderTest;
  readonly live: Live;
  readonly runtime: RestlessRuntime;
  readonly work: Work;
  worker(store: ArtifactStore): Promise<Worker>;
  state(): Promise<PlanState>;
}

async function withScene(makeStore: () => Promise<StoreUnderTest>, play: (scene: Scene) => Promise<void>) {
  const under = await makeStore();
  try {
    await withLive(async (live) => {
      const connection = await live.connect();
      const data = canonicalBytes(document);
      const worldPath = `/artifacts/plans/${PLAN}/admitted.json`;
      await under.store.putBytes({ worldPath, data, contentType: 'application/json' });
      const append = (by: LedgerWriter, drafts: Draft[]) =>
        new Journal({ connection, by, nowMs: () => START_MS }).append(PLAN, () => ({ drafts }));
      const about = { admitted_path: worldPath, admitted_cid: cidOf(data), steps: 1, predicates: 0 };
      await append('admission', [submitted(PLAN), admitted(PLAN, 10_000, about)]);
      const { lastSeq } = await append('dispatcher', scheduled(PLAN, 'probe', 1, 400));
      const not_before = new Date(START_MS).toISOString();
      const runtime = new RestlessRuntime();
      await play({
        ...{ under, live, runtime },
        work: { plan_id: PLAN, execution_id: EXECUTION, not_before, ledger_seq: lastSeq },
        state: async () => (await new Journal({ connection, by: undefined }).read(PLAN)).state,
        worker: async (store) =>
          new Worker({
            connection: await live.connect(),
            journal: new Journal({ connection: await live.connect(), by: 'dispatcher', nowMs: () => START_MS + 2_000 }),
            plans: new AdmittedPlans(under.store),
            ...{ store, runtime, showing: new Showing(store), secrets: {}, scratch: undefined },
            ...{ log: pino({ level: 'silent' }), nowMs: () => START_MS + 2_000, instance: 'dispatcher' },
          } as unknown as WorkerDeps),
      });
    });
  } finally {
    await under.dispose();
  }
}

const never = new AbortController().signal;

/** Both paths hold what the ledger names there; returns those CIDs. */
async function shown({ under, state }: Scene): Promise<readonly string[]> {
  const { artifacts, executions } = await state();
  assert.is(executions.get(EXECUTION)?.end?.status, 'succeeded');
  const store = await under.open();
  const cids: string[] = [];
  for (const path of [OUT, LOG]) {
    const named = artifacts.get(path)?.cid;
    if (named === undefined) return assert.unreachable(`${path} is not named`) as never;
    assert.is(cidOf(await store.getBytes({ worldPath: path })), named, path);
    cids.push(named);
  }
  return cids;
}

const STEPS: readonly (readonly [what: string, name: Step, when: 'before' | 'after'])[] = [
  ['before it sealed anything', 'sealBytes', 'before'],
  ['between its log and its outputs', 'seal', 'before'],
  ['when it had sealed, before the commit', 'checkFree', 'after'],
  ['after the commit, before it showed anything', 'show', 'before'],
  ['after it had shown something', 'show', 'after'],
  ['before it dropped its staging', 'dropUploads', 'before'],
  ['before it acked', 'dropUploads', 'after'],
];

/** Registers the cases for one kind of store. */
export function endConformance(
  name: string,
  makeStore: () => Promise<StoreUnderTest>,
  server?: { readonly available: Available; start(): Promise<void>; stop(): Promise<void> },
): void {
  const test = suite(`the end of an execution, on ${name}`);
  if (server !== undefined) {
    const { available } = server;
    test.skipUnless(available.ok, available.ok ? '' : available.reason);
    test.before(() => server.start());
    test.after(() => server.stop());
  }

  for (const [what, at, when] of STEPS) {
    test(`one dispatcher falls asleep ${what}, another finishes: every path holds what the ledger names`, () =>
      withScene(makeStore, async (scene) => {
        const { under, runtime, work } = scene;
        const sleeper = sleepingAt(await under.open(), at, when);
        const first = (await scene.worker(sleeper.store)).handle(work, never);
        await Promise.race([
          sleeper.asleep,
          first.then((ended) => assert.unreachable(`it did not fall asleep: ${JSON.stringify(ended)}`)),
        ]);
        assert.is((await runtime.send('second, after its end')).length, 1);
        const other = await scene.worker(await under.open());
        assert.equal(await other.handle(work, never), { kind: 'done' });
        const cids = await shown(scene);
        await runtime.send('third, after the other had finished');
        sleeper.wake();
        assert.equal(await first, { kind: 'done' });
        assert.equal(await shown(scene), cids, 'the sleeper changed nothing');
      }));
  }

  test('what is sent only after the end is no output, and is swept', () =>
    withScene(makeStore, async (scene) => {
      const { under, runtime, work, state } = scene;
      const send = runtime.send.bind(runtime);
      runtime.send = async () => [];
      const worker = await scene.worker(await under.open());
      assert.equal(await worker.handle(work, never), { kind: 'done' });
      assert.equal(await send('late'), [200]);
      const { end } = (await state()).executions.get(EXECUTION) ?? {};
      assert.is(end?.status === 'failed' && end.code, 'ERR_OUTPUT_MISSING');
      assert.equal(await worker.handle(work, never), { kind: 'done' }, 'taken up again');
      const store = await under.open();
      assert.is(await store.stat(OUT), undefined);
      assert.is(await store.statUpload({ uploadId: EXECUTION, worldPath: OUT }), undefined);
    }));

  test('a store that refuses to show across the sweep loses nothing: the next sweep shows it', () =>
    withScene(makeStore, async (scene) => {
      const { under, live, work } = scene;
      const denied = new IsomorphError('ERR_REFUSED', 'AccessDenied');
      const refusing = (store: ArtifactStore): ArtifactStore =>
        new Proxy(store, {
          get: (target, property) => {
            if (property === 'show') return () => Promise.reject(denied);
            const member: unknown = Reflect.get(target, property);
            return typeof member === 'function' ? member.bind(target) : member;
          },
        });
      const worker = await scene.worker(refusing(await under.open()));
      assert.is(await worker.handle(work, never).catch((error: unknown) => error), denied);
      assert.is(await under.store.stat(OUT), undefined);

      const sweep = async (store: ArtifactStore): Promise<void> => {
        const sweepUploads = store.sweepUploads.bind(store);
        let swept: Promise<number> | undefined;
        store.sweepUploads = (request) => {
          swept = sweepUploads(request);
          return swept;
        };
        const dispatcher = await startDispatcher({
          ...{ connection: await live.connect(), log: pino({ level: 'silent' }), nowMs: Date.now, store },
          ...{ onForeign: () => undefined, runtimes: [], scratchStores: [], slots: 1, instance: 'sweeper' },
        } as unknown as DispatcherDeps);
        await swept;
        await dispatcher.stop();
      };
      const inDays = { clockOffsetMs: 4 * 86_400_000 };
      await sweep(refusing(await under.open(inDays)));
      assert.is(await under.store.stat(OUT), undefined);
      await sweep(await under.open(inDays));
      await shown(scene);
      assert.is(await under.store.statUpload({ uploadId: EXECUTION, worldPath: OUT }), undefined, 'and then it goes');
    }));

  test.run();
}
