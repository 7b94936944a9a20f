/** A whole plan with real processors: the same outputs in Modal's sandboxes and in processes of this machine. */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import type { Adapter } from '../../shared/ids/adapter.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import { loadRegistry } from '../../shared/registry/registry.ts';
import { ControlPlane } from '../harness/modal/control-plane.ts';
import { pushProcessor } from '../harness/modal/test-images.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('plans on modal');
const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const [REGISTRY, PROCESSORS] = [path.join(PROJECT, 'registry'), path.join(PROJECT, 'processors')];
const EXAMPLE = path.join(PROJECT, 'examples/penguins');
const FOLDERS = ['csv_profile', 'csv_chart', 'demo_flaky', 'report_html'];
const plane = new ControlPlane();
let its: TestStack;

test.before(async () => {
  await plane.start();
  Object.assign(process.env, plane.environment);
  const { processors } = await loadRegistry(REGISTRY);
  for (const folder of FOLDERS) {
    const processor = processors.get(`${folder.replace('_', '/')}@1`);
    if (processor === undefined) throw new Error(`the registry has no ${folder}`);
    await pushProcessor(plane.world, path.join(PROCESSORS, folder), processor);
  }
  const env = { ISOMORPH_ADAPTERS: 'mock,modal', LOG_LEVEL: 'silent' };
  its = await startTestStack({ registry: REGISTRY, processors: PROCESSORS, env });
  const body = createReadStream(path.join(EXAMPLE, 'penguins.csv'));
  await its.store.put({ worldPath: '/artifacts/inputs/penguins.csv', body, contentType: 'text/csv' });
});
test.after(async () => {
  await its?.stop();
  await plane.close();
});

async function penguinsOn(adapter: Adapter): Promise<PlanState> {
  const plan = { ...parse(await readFile(path.join(EXAMPLE, 'plan.yaml'), 'utf8')), plan_id: `on-${adapter}`, adapter };
  await its.submit(plan);
  return its.ended(plan.plan_id);
}

/** CIDs by path below the plan's outputs. */
function outputsOf({ planId, artifacts }: PlanState): Record<string, string> {
  const prefix = `/artifacts/outputs/${planId}/`;
  const entries = [...artifacts].filter(([worldPath]) => worldPath.startsWith(prefix));
  return Object.fromEntries(entries.map(([worldPath, { cid }]) => [worldPath.slice(prefix.length), cid]));
}

test('the penguins have the same outputs on modal as on mock, a sandbox an execution', async () => {
  const [modal, mock] = await Promise.all([penguinsOn('modal'), penguinsOn('mock')]);
  assert.equal([modal.settled?.status, mock.settled?.status], ['succeeded', 'succeeded']);
  assert.is(Object.keys(outputsOf(modal)).length, 6);
  assert.equal(outputsOf(modal), outputsOf(mock));
  assert.is(plane.world.sandboxes.all.length, modal.executions.size);
  for (const { result } of plane.world.sandboxes.all) assert.ok(result !== undefined);
});

test.run();
