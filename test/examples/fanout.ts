import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { ControlPlane } from '../harness/modal/control-plane.ts';
import { startTestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

/** The same plan and processors on every pair of KV and queue: one answer, by its CID. */

const fileOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const PLAN = parse(await readFile(fileOf('examples/fanout/plan.yaml'), 'utf8')) as Record<string, unknown>;
const SHOWN = { items: 1000, longest: { number: 871, steps: 178 }, total_steps: 59542 };

/** No projector: nothing here asks Postgres, and to write the 5,000 facts of a pair there took a tenth of its CPU. */
const services = ['admission', 'dispatcher', 'settler', 'sampler'] as const;

/** Of the report, whatever the pair: what `b3sum` prints for it. */
const REPORT_CID = 'blake3:9d697663ae56f54a27a4459f51f8d0665a145563e3b58d1c08c5da4aeee7c02e';

/**
 * Runs the plan on a stack of its own with this pair. The stacks share backends, so that each needs a plan id of its own.
 */
async function fansOut(planId: string, kvUrl: string, queueUrl: string): Promise<void> {
  const env = { KV_URL: kvUrl, QUEUE_URL: queueUrl };
  const report = `/artifacts/outputs/${planId}/gather/report.json`;
  const its = await startTestStack({ services, env, registry: fileOf('registry'), processors: fileOf('processors') });
  try {
    await its.submit({ ...PLAN, plan_id: planId });
    const state = await its.ended(planId);
    const ends = [...state.executions.values()].map(({ executionId, end }) => [executionId, end?.status]);
    assert.is(state.settled?.status, 'succeeded', JSON.stringify(ends));
    assert.is(state.artifacts.get(report)?.cid, REPORT_CID);
    const bytes = await its.store.getBytes({ worldPath: report });
    assert.equal(JSON.parse(new TextDecoder().decode(bytes)), SHOWN);
  } finally {
    await its.stop();
  }
}

/** URLs by the names of backends; asked for when the servers run. */
export type Urls = Readonly<Record<string, () => string>>;

/** CI runs every pair; elsewhere each backend with itself, and sqs, which has no KV, with memory, will do. */
const isChosen = (kv: string, queue: string): boolean =>
  process.env.CI === 'true' || kv === queue || (kv === 'memory' && queue === 'sqs');

/** A test for each pair. */
export function pairs(test: ReturnType<typeof suite>, kvs: Urls, queues: Urls): void {
  for (const [kv, kvUrl] of Object.entries(kvs)) {
    for (const [queue, queueUrl] of Object.entries(queues)) {
      if (!isChosen(kv, queue)) continue;
      test(`KV on ${kv}, queue on ${queue}`, () => fansOut(`fanout-${kv}-${queue}`, kvUrl(), queueUrl()));
    }
  }
}

/** What every machine has, by name. */
export const EVERYWHERE = { memory: () => 'memory:scratch', nats: () => 'nats:', modal: () => 'modal:' } satisfies Urls;

/** A suite with a Modal control plane of its own. */
export function onModal(name: string): ReturnType<typeof suite> {
  const test = suite(name);
  const plane = new ControlPlane();
  test.before(async () => {
    await plane.start();
    Object.assign(process.env, plane.environment);
  });
  test.after(() => plane.stop());
  return test;
}
