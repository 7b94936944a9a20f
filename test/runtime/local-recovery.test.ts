import { existsSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { Processor } from '../../shared/plan/registry.ts';
import type { Assignment, RunResult } from '../../shared/runtime/runtime.ts';
import { available, type OwnDocker, startOwnDocker } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { bootActor, plainActor } from './local-images.ts';
import { assignmentOf, type LocalUnderTest, localUnderTest, textOf } from './local-under-test.ts';
import { startAndDie } from './start-elsewhere.ts';

const test = suite('runtime local, recovery');
const found = await available('docker');
/** The engine of the machine is not ours to crash. */
const hasOwn = ['dockerd', 'containerd', 'runc', 'docker-init', 'setpriv'].every((program) =>
  [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/bin', '/sbin'].some((dir) =>
    existsSync(`${dir}/${program}`),
  ),
);
const canStart = process.platform === 'linux' && process.getuid?.() === 0 && hasOwn;
test.skipUnless(found.ok, found.ok ? '' : found.reason);
test.skipUnless(canStart, 'only root on Linux with dockerd installed may start an engine of its own');

/** A server on loopback that leaves who asks waiting until it is told. */
class Gate {
  readonly #server: Server;
  #waiting: ServerResponse[] = [];
  #whenAsked: () => void = () => undefined;

  constructor() {
    this.#server = createServer((_, answer) => {
      this.#waiting.push(answer);
      this.#whenAsked();
    });
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get place(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves when the next one asks. */
  asked(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenAsked = resolve;
    });
  }

  tell(): void {
    for (const answer of this.#waiting.splice(0)) answer.end('go on');
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

const gate = new Gate();
let its: LocalUnderTest<OwnDocker>;
test.before(async () => {
  await gate.open();
  its = await localUnderTest({ endpoints: [gate.place], parked: 0 }, startOwnDocker);
});
test.after(async () => {
  await its.stop();
  await gate.close();
});

const RUNTIME = { cpu: 1, memory_gb: 0.125, timeout_s: 60, network: 'artifacts' } as const;
const ACTORS: readonly Processor[] = [bootActor({ runtime: RUNTIME }), plainActor({ runtime: RUNTIME })];

const waiting = (actor: Processor, more: Record<string, unknown> = {}): Assignment =>
  assignmentOf(actor, { mode: 'until told', urls: [`http://${gate.place}/`], ...more });

const tokens = (result: RunResult): number => textOf(result).match(/^token /gm)?.length ?? 0;

/** Runs it from a process that is killed when the run has begun and something more has come about. */
const runAndDie = (assignment: Assignment, andThen?: () => Promise<unknown>): Promise<void> =>
  startAndDie(
    { adapter: 'local', processorsDir: '', stateDir: its.stateDir, env: { DOCKER_HOST: its.docker.dockerHost } },
    assignment,
    andThen,
  );

test('an engine that is killed in mid-run and comes back costs nothing: the run ends once, as it would have', async () => {
  for (const actor of ACTORS) {
    for (const exit_code of [0, 7]) {
      const one = waiting(actor, { exit_code });
      const asked = gate.asked();
      const handle = await its.runtime.run(one);
      await asked;
      await its.docker.crash();
      await its.docker.restart();
      gate.tell();
      const result = await handle.wait();
      assert.equal(result.outcome, { kind: 'exited', exitCode: exit_code }, textOf(result));
      assert.is(tokens(result), 1);
      await its.runtime.forget(one.executionId);
    }
  }
});

test('a run that ends while its engine is away is told with its exit code, or is lost; never made up', async () => {
  for (const actor of ACTORS) {
    const one = waiting(actor, { exit_code: 7 });
    const asked = gate.asked();
    const handle = await its.runtime.run(one);
    await asked;
    await its.docker.crash();
    gate.tell();
    await its.docker.restart();
    const { outcome } = await handle.wait();
    if (outcome.kind !== 'lost') assert.equal(outcome, { kind: 'exited', exitCode: 7 });
    await its.runtime.forget(one.executionId);
  }
});

test('an engine that does not come back loses the run, and what it was asked meanwhile was not started', async () => {
  const [actor] = ACTORS as [Processor];
  const runtime = await its.another({ enginePatienceMs: 100 });
  const one = waiting(actor);
  const asked = gate.asked();
  // Time enough to begin: it is lost when its deadline has passed, not before.
  const handle = await runtime.run({ ...one, deadlineMs: Date.now() + 20_000 });
  await asked;
  await its.docker.crash();
  try {
    assert.is((await handle.wait()).outcome.kind, 'lost');
    assert.is((await (await runtime.run(assignmentOf(actor))).wait()).outcome.kind, 'not_started');
  } finally {
    await its.docker.restart();
    gate.tell();
  }
  await runtime.forget(one.executionId);
});

test('a run that nobody watches any more is ended at its deadline, and found as such', async () => {
  const one = assignmentOf(ACTORS[0] as Processor, { mode: 'stubborn' }, { deadlineMs: Date.now() + 1_500 });
  await runAndDie(one);
  const next = await its.another({ reap: { overdueMs: 0 } });
  const name = (await its.left()).containers.find((each) => each.includes(one.executionId)) ?? '';
  const container = its.engine.getContainer(name);
  while ((await container.inspect()).State.Running) {
    await next.tend();
    await delay(50);
  }
  const handle = await next.find(one);
  assert.equal((await handle?.wait())?.outcome, { kind: 'timed_out' });
  // Nobody asks for it for long.
  const last = await its.another({ startGraceMs: 0, reap: { overdueMs: 0, keptEndedMs: 0 } });
  while ((await its.left()).containers.length > 0) {
    await last.tend();
    await delay(50);
  }
  // Their short rules would sweep away what the next tests start.
  await Promise.all([next.close(), last.close()]);
});

/** Containers that are parked and run; what is listed may be gone a moment later. */
async function runningParked(): Promise<string[]> {
  const rows = await its.engine.listContainers({
    filters: { label: ['dev.isomorph.role=parked'], status: ['running'] },
  });
  return rows.filter(({ Names }) => Names[0]?.startsWith('/iso-parked-')).map(({ Id }) => Id);
}

test('what a killed dispatcher had parked ends by itself and is removed', async () => {
  const one = assignmentOf(bootActor());
  let parked: string[] = [];
  await runAndDie(one, async () => {
    for (; parked.length === 0; parked = await runningParked()) await delay(20);
  });
  while ((await runningParked()).length > 0) await delay(20);
  const next = await its.another({ startGraceMs: 0 });
  while ((await its.left()).containers.some((name) => name.startsWith('iso-parked-'))) {
    await next.tend();
    await delay(20);
  }
  const handle = await next.find(one);
  assert.equal((await handle?.wait())?.outcome, { kind: 'exited', exitCode: 0 });
  await next.forget(one.executionId);
  await next.close();
});

test('a container that was created by a dispatcher that died before its start is not waited for forever', async () => {
  const runtime = await its.another({ startGraceMs: 2_000 });
  const one = assignmentOf(bootActor());
  await (await runtime.run(one)).wait();
  const [name = ''] = (await its.left()).containers;
  const { Image, Labels } = (await its.engine.getContainer(name).inspect()).Config;
  await runtime.forget(one.executionId);
  await its.engine.createContainer({ name, Image, Labels });
  const lost = await (await runtime.find(one))?.wait();
  assert.is(lost?.outcome.kind, 'lost');
  // By now it is too old for its creator to be alive: whoever is told to run the execution does.
  const another = await its.another({ startGraceMs: 2_000 });
  assert.equal((await (await another.run(one)).wait()).outcome, { kind: 'exited', exitCode: 0 });
  await another.forget(one.executionId);
  await Promise.all([runtime.close(), another.close()]);
});

test('an execution that two dispatchers run at once runs once', async () => {
  for (const actor of ACTORS) {
    const one = waiting(actor);
    const asked = gate.asked();
    const runtimes = [its.runtime, await its.another(), await its.another()];
    const handles = await Promise.all(runtimes.map((runtime) => runtime.run(one)));
    await asked;
    gate.tell();
    const results = await Promise.all(handles.map((handle) => handle.wait()));
    for (const { outcome } of results) assert.equal(outcome, { kind: 'exited', exitCode: 0 });
    assert.is(new Set(results.map((result) => /^token .*$/m.exec(textOf(result))?.[0])).size, 1);
    await its.runtime.forget(one.executionId);
  }
});

test('nothing is left behind', async () => {
  assert.equal(await its.left(), { containers: [], networks: [], volumes: 0 });
});

test.run();
