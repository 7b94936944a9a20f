/** A dispatcher that dies while a worker runs a function for it: the next finds the run. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { ServiceProcess } from '../harness/service-process.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('a dispatcher that dies while a worker works', undefined, { timeoutMs: 240_000 });

const EXAMPLE = fileURLToPath(new URL('../../examples/worker/registry', import.meta.url));
const WORKER_MAIN = fileURLToPath(new URL('../runtime/worker-main.ts', import.meta.url));

let its: TestStack;
let registry: string;
let gate: Server;
let worker: ChildProcess;
const services: ServiceProcess[] = [];
/** Answers that functions wait for. */
const asked: (() => void)[] = [];

test.before(async () => {
  registry = await mkdtemp(path.join(os.tmpdir(), 'isomorph-registry-'));
  await cp(EXAMPLE, registry, { recursive: true });
  const entry = await readFile(path.join(registry, 'processors/my_count.yaml'), 'utf8');
  const actor = entry
    .replace('my/count@1', 'test/actor@1')
    .replace(/^ {2}artifacts: .*$/m, '  artifacts: {}')
    .replace(/^ {2}params: .*$/m, '  params: {}')
    .replace('counts.json', 'answer.json')
    .replace('required: true, max_bytes', 'required: false, max_bytes');
  await writeFile(path.join(registry, 'processors/test_actor.yaml'), actor);
  its = await startTestStack({ registry, services: [], env: { ISOMORPH_ADAPTERS: 'worker' } });
  for (const name of ['admission', 'dispatcher', 'settler'] as const) {
    services.push(new ServiceProcess(name, its.stack.serviceEnv));
  }
  gate = createServer((_, response) => asked.push(() => response.end()));
  await once(gate.listen(0, '127.0.0.1'), 'listening');
  const args = ['--import', import.meta.resolve('tsx'), WORKER_MAIN, its.stack.info.nats.workerUrl ?? '', '4'];
  worker = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH ?? '' },
  });
  await once(worker.stdout as NodeJS.ReadableStream, 'data');
});
test.after(async () => {
  worker.kill('SIGKILL');
  await Promise.all(services.map((service) => service.stop()));
  gate.close();
  await its.stop();
  await rm(registry, { recursive: true });
});

test('the run goes on, the next finds it, and the step ran once', async () => {
  const url = `http://127.0.0.1:${(gate.address() as AddressInfo).port}/`;
  const begun = once(gate, 'request');
  await its.submit({
    plan_id: 'found',
    ...{ policy: 'workers', adapter: 'worker', budget: { limit_usd_micro: 10_000 } },
    steps: [{ id: 'act', processor: 'test/actor@1', params: { mode: 'until told', url } }],
  });
  await begun;
  await services[1]?.killAndRestart();
  await services[1]?.logged((line) => line.includes('"started"'));
  for (const answer of asked.splice(0)) answer();
  const { settled, executions } = await its.ended('found');
  assert.is(settled?.status, 'succeeded', JSON.stringify(settled));
  assert.equal(
    [...executions.values()].map(({ attempt, end }) => [attempt, end?.status]),
    [[1, 'succeeded']],
  );
});

test.run();
