import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { ControlPlane } from '../harness/modal/control-plane.ts';
import { startTestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

/** The same plan and processors on every pair of KV and queue: one answer, by its CID. */

const fileOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const PLAN = await readFile(fileOf('examples/fanout/plan.yaml'), 'utf8');

/** What comes out for so many numbers, whatever the pair: a report, and what `b3sum` prints for it. */
interface Answer {
  readonly shown: {
    readonly items: number;
    readonly longest: { readonly number: number; readonly steps: number };
    readonly total_steps: number;
  };
  readonly cid: string;
}

/** As the example is. */
const WHOLE: Answer = {
  shown: { items: 1000, longest: { number: 871, steps: 178 }, total_steps: 59542 },
  cid: 'blake3:9d697663ae56f54a27a4459f51f8d0665a145563e3b58d1c08c5da4aeee7c02e',
};

/** A tenth of it: every operation of each backend as well, at a tenth of the CPU. */
const TENTH: Answer = {
  shown: { items: 100, longest: { number: 97, steps: 118 }, total_steps: 3142 },
  cid: 'blake3:2771a86d1e9bc5ac1c126aaa3fd6c5fc70a487d5d9db82146807bd63ad19d96f',
};

/** The plan of the example with other amounts in it. */
function planOf({ shown: { items, longest } }: Answer): Record<string, unknown> {
  const { items: ofExample, longest: longestOfExample } = WHOLE.shown;
  const its = PLAN.replaceAll(`items: ${ofExample}`, `items: ${items}`).replace(
    `items == \`${ofExample}\` && longest.number == \`${longestOfExample.number}\``,
    `items == \`${items}\` && longest.number == \`${longest.number}\``,
  );
  return parse(its) as Record<string, unknown>;
}

/** No projector: nothing here asks Postgres, and to write the 5,000 facts of a pair there took a tenth of its CPU. */
const services = ['admission', 'dispatcher', 'settler', 'sampler'] as const;

/**
 * Runs the plan on a stack of its own with this pair. The stacks share backends, so that each needs a plan id of its own.
 */
async function fansOut(planId: string, answer: Answer, kvUrl: string, queueUrl: string): Promise<void> {
  const env = { KV_URL: kvUrl, QUEUE_URL: queueUrl };
  const report = `/artifacts/outputs/${planId}/gather/report.json`;
  const its = await startTestStack({ services, env, registry: fileOf('registry'), processors: fileOf('processors') });
  try {
    await its.submit({ ...planOf(answer), plan_id: planId });
    const state = await its.ended(planId);
    const ends = [...state.executions.values()].map(({ executionId, end }) => [executionId, end?.status]);
    assert.is(state.settled?.status, 'succeeded', JSON.stringify(ends));
    assert.is(state.artifacts.get(report)?.cid, answer.cid);
    const bytes = await its.store.getBytes({ worldPath: report });
    assert.equal(JSON.parse(new TextDecoder().decode(bytes)), answer.shown);
  } finally {
    await its.stop();
  }
}

/** URLs by the names of backends; asked for when the servers run. */
export type Urls = Readonly<Record<string, () => string>>;

/** Each backend once with the whole example, with itself; sqs, which has no KV, with memory. */
const isWhole = (kv: string, queue: string): boolean => kv === queue || (kv === 'memory' && queue === 'sqs');

/** A test for each pair. */
export function pairs(test: ReturnType<typeof suite>, kvs: Urls, queues: Urls): void {
  for (const [kv, kvUrl] of Object.entries(kvs)) {
    for (const [queue, queueUrl] of Object.entries(queues)) {
      const whole = isWhole(kv, queue);
      // CI runs every pair.
      if (!whole && process.env.CI !== 'true') continue;
      test(`KV on ${kv}, queue on ${queue}`, () =>
        fansOut(`fanout-${kv}-${queue}`, whole ? WHOLE : TENTH, kvUrl(), queueUrl()));
    }
  }
}

/** What every machine has, by name. */
export const EVERYWHERE = { memory: () => 'memory:scratch', nats: () => 'nats:', modal: () => 'modal:' } satisfies Urls;

/** A suite with a Modal control plane of its own. */
export function onModal(name: string): ReturnType<typeof suite> {
  const test = suite(name, undefined, { timeoutMs: 300_000 });
  const plane = new ControlPlane();
  test.before(async () => {
    await plane.start();
    Object.assign(process.env, plane.environment);
  });
  test.after(() => plane.stop());
  return test;
}
