/** The example of a worker, as its plan has it run: one made with the SDK, one on a plain socket. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import type { PlanState } from '../../shared/ledger/state.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('the example of a worker');

const fileOf = (name: string): string => fileURLToPath(new URL(`../../examples/worker/${name}`, import.meta.url));
const TEXT = 'one two\nthree\n';

let its: TestStack;
const workers: ChildProcess[] = [];

test.before(async () => {
  its = await startTestStack({
    registry: fileOf('registry'),
    env: { ISOMORPH_ADAPTERS: 'worker', LOG_LEVEL: 'silent' },
  });
  const data = new TextEncoder().encode(TEXT);
  await its.store.putBytes({ worldPath: '/artifacts/inputs/words.txt', data, contentType: 'text/plain' });
});
test.after(async () => {
  for (const worker of workers) worker.kill('SIGKILL');
  await its.stop();
});

async function start(command: string, args: readonly string[]): Promise<ChildProcess> {
  const worker = spawn(command, [...args, its.stack.info.nats.workerUrl ?? ''], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // Nothing of ours: its secrets would be its own.
    env: { PATH: process.env.PATH ?? '' },
  });
  workers.push(worker);
  await once(worker.stdout as NodeJS.ReadableStream, 'data');
  return worker;
}

async function ran(planId: string): Promise<PlanState> {
  await its.submit({ ...parse(await readFile(fileOf('plan.yaml'), 'utf8')), plan_id: planId });
  const state = await its.ended(planId);
  assert.is(state.settled?.status, 'succeeded', JSON.stringify(state.settled));
  return state;
}

const jsonAt = async (worldPath: string): Promise<Record<string, unknown>> =>
  JSON.parse(new TextDecoder().decode(await its.store.getBytes({ worldPath }))) as Record<string, unknown>;

async function checked(planId: string, name: string): Promise<void> {
  const state = await ran(planId);
  const counts = await jsonAt(`/artifacts/outputs/${planId}/count/counts.json`);
  assert.equal(counts, { characters: 14, lines: 2, words: 3 });
  const [receiptPath = ''] = [...state.artifacts.keys()].filter((path) => path.endsWith('/determinism.json'));
  const { env_fingerprint: where } = (await jsonAt(receiptPath)) as { env_fingerprint: Record<string, unknown> };
  assert.equal([where.adapter, where.image, where.claimed], ['worker', 'my/count@1', true]);
  assert.equal(where.versions, { worker: `${name} 1.0.0` });
  assert.match(String(where.image_digest), /^sha256:[0-9a-f]{64}$/);
}

test('made with the SDK: the plan succeeds, and its receipt says that the digest is the worker’s word', async () => {
  const worker = await start(process.execPath, ['--import', import.meta.resolve('tsx'), fileOf('worker.ts')]);
  await checked('by-sdk', 'count-ts');
  const ended = once(worker, 'exit');
  worker.kill('SIGTERM');
  assert.equal(await ended, [0, null]);
});

test('in Python on a plain socket, by the written contract alone: the same', async () => {
  await start('python3', [fileOf('worker.py')]);
  await checked('by-python', 'count-py');
});

test.run();
