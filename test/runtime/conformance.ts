import * as assert from 'uvu/assert';
import { executionId } from '../../shared/ids/ids.ts';
import type { Processor } from '../../shared/plan/registry.ts';
import { RUNTIME_CAPABILITIES, type RuntimeCapabilities } from '../../shared/runtime/capabilities.ts';
import type { Job, Report } from '../../shared/runtime/contract.ts';
import type { Assignment, RunResult, RuntimeAdapter } from '../../shared/runtime/runtime.ts';
import { concealed } from '../../shared/secrets/secret-value.ts';
import { suite } from '../harness/suite.ts';
import { said, textOf, whenBegun } from './results.ts';

/** A runtime with what its conformance is shown by. */
export interface RuntimeUnderTest {
  readonly runtime: RuntimeAdapter;
  /** `processors/test_actor`, as this runtime runs it. */
  readonly actor: Processor;
  /** A processor that this runtime has nothing to start for. */
  readonly missing: Processor;
  /** Environment variables that the runtime cannot help adding; none of them may come from the host. */
  readonly ownVariables: readonly string[];
  /** `empty`: made for the execution. `image`: the WORKDIR of the image. */
  readonly workingFolder: 'empty' | 'image';
  /** Bytes of a log that may be kept. */
  readonly keptLogBytes: number;
  /** Runs it from another process, which is killed by SIGKILL as soon as the run has begun. */
  runFromKilledProcess(assignment: Assignment): Promise<void>;
  /** Whether a process is there, by the pid that a processor knows it by. */
  isAlive(pid: number): Promise<boolean>;
  /** A run without a process of its own took its runtime with it: it is there again. */
  isBack?(): Promise<unknown>;
  stop(): Promise<void>;
}

const MINUTE_MS = 60_000;

/** What every runtime must do (shared/runtime/runtime.ts and docs/processor-contract.md). */
export function runtimeConformance(name: string, make: () => Promise<RuntimeUnderTest>): void {
  const test = suite(`runtime ${name}`);
  let its: RuntimeUnderTest;
  let count = 0;
  test.before(async () => {
    its = await make();
  });
  test.after(() => its.stop());

  /** An execution of its own that does what `params` say. */
  function assignment(params: Record<string, unknown> = {}, more: Partial<Assignment> = {}): Assignment {
    count += 1;
    const id = executionId('plan', `step-${count}`, 1);
    const deadlineMs = more.deadlineMs ?? Date.now() + MINUTE_MS;
    const job: Job = {
      v: 1,
      plan_id: 'plan',
      step_id: `step-${count}`,
      execution_id: id,
      attempt: 1,
      processor: its.actor.ref,
      params,
      inputs: {},
      outputs: {},
      deadline: new Date(deadlineMs).toISOString(),
    };
    return { executionId: id, processor: its.actor, job, secrets: {}, deadlineMs, ...more };
  }

  const run = async (one: Assignment): Promise<RunResult> => (await its.runtime.run(one)).wait();

  const can = (capability: 'ownProcess' | 'takesSecrets'): RuntimeCapabilities[typeof capability] =>
    RUNTIME_CAPABILITIES[its.runtime.adapter][capability];

  test('a processor that ends well has exited with 0, and its log is there', async () => {
    const one = assignment();
    const handle = await its.runtime.run(one);
    assert.is(handle.executionId, one.executionId);
    const result = await handle.wait();
    assert.equal(result.outcome, { kind: 'exited', exitCode: 0 });
    assert.match(said(result, 'token') ?? '', /^[0-9a-f-]{36}$/);
    assert.ok(Number.isSafeInteger(result.durationMs) && Number(result.durationMs) >= 0, `${result.durationMs}`);
    assert.is(result.error, undefined);
    assert.equal(await handle.wait(), result);
  });

  test('every exit code is told as it is', async () => {
    for (const exitCode of [1, 3, 65, 75, 125, 255]) {
      assert.equal((await run(assignment({ exit_code: exitCode }))).outcome, { kind: 'exited', exitCode });
    }
  });

  test('reports are told as they come, and the last error is kept', async () => {
    const reports: Report[] = [];
    const one = assignment({ mode: 'report', exit_code: 1 });
    const result = await (await its.runtime.run(one, (report) => reports.push(report))).wait();
    const error = { isomorph: 'error', code: 'ERR_PARAMS', message: 'the last word', retryable: false } as const;
    assert.equal(result.error, error);
    const begun = { isomorph: 'progress', fraction: 0.5, message: 'begun' } as const;
    const first = { isomorph: 'error', code: 'ERR_EXIT', message: 'the first word' } as const;
    // A function has one error: what it throws.
    assert.equal(reports, can('ownProcess') ? [begun, first, error] : [begun]);
  });

  test('a processor that a signal ended is told with the signal; one without a process of its own is lost', async () => {
    for (const signal of ['SIGKILL', 'SIGSEGV']) {
      const { outcome, durationMs } = await run(assignment({ mode: 'signal', signal }));
      if (can('ownProcess')) assert.equal(outcome, { kind: 'signalled', signal });
      else assert.equal([outcome.kind, durationMs], ['lost', null]);
      await its.isBack?.();
    }
  });

  test('a processor that hangs is ended at its deadline, even one that will not end', async () => {
    const results = await Promise.all(
      ['hang', 'stubborn'].map((mode) => run(assignment({ mode }, { deadlineMs: Date.now() + 1_000 }))),
    );
    for (const { outcome } of results) assert.equal(outcome, { kind: 'timed_out' });
  });

  test('a run that is killed has been killed; killing what does not run does nothing', async () => {
    const one = assignment({ mode: 'hang' });
    const { handle, begun } = await whenBegun(its.runtime, one);
    await begun;
    await its.runtime.kill(one.executionId);
    assert.equal((await handle.wait()).outcome, { kind: 'killed' });
    await its.runtime.kill(one.executionId);
    await its.runtime.kill('plan.nobody.1');
    const ended = assignment();
    const result = await run(ended);
    await its.runtime.kill(ended.executionId);
    assert.equal(await (await its.runtime.find(ended))?.wait(), result);
  });

  test('nothing that a processor started outlives it, where it has a process of its own', async () => {
    const left = await run(assignment({ mode: 'grandchild' }));
    const killed = assignment({ mode: 'hanging grandchild' });
    const { handle, begun } = await whenBegun(its.runtime, killed);
    await begun;
    await its.runtime.kill(killed.executionId);
    for (const result of [left, await handle.wait()]) {
      const pid = Number(said(result, 'grandchild'));
      if (Number.isNaN(pid)) continue;
      if (!can('ownProcess')) {
        // It is its worker's, and ends with whoever runs that.
        assert.ok(await its.isAlive(pid));
        process.kill(pid, 'SIGKILL');
      }
      // A signal is sent, not awaited: the test's own timeout bounds this.
      while (await its.isAlive(pid)) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.match(said(left, 'grandchild') ?? '', /^\d+$/);
  });

  test('a log that runs wild is capped, and its end is kept', async () => {
    for (const megabytes of [1, 6, 24]) {
      const result = await run(assignment({ mode: 'flood', megabytes }));
      assert.equal(result.outcome, { kind: 'exited', exitCode: 0 });
      assert.ok(result.log.byteLength <= its.keptLogBytes, `${result.log.byteLength} bytes kept`);
      assert.ok(
        textOf(result).endsWith('x\nthe end\n'),
        `${megabytes} MB: ${JSON.stringify(textOf(result).slice(-40))}`,
      );
    }
  });

  test('what cannot be started is told by the outcome, not by an exception', async () => {
    const one = assignment({}, { processor: its.missing });
    const { outcome } = await run(one);
    assert.is(outcome.kind, 'not_started');
    if (outcome.kind === 'not_started') assert.match(outcome.reason, its.missing.ref.split('@')[0] ?? '');
  });

  test('an execution that is run twice runs once', async () => {
    const one = assignment();
    const [first, second] = [await its.runtime.run(one), await its.runtime.run(one)];
    const results = [await first.wait(), await second.wait(), await run(one)];
    const tokens = results.map((result) => said(result, 'token'));
    assert.is(new Set(tokens).size, 1, tokens.join());
    for (const { outcome } of results) assert.equal(outcome, { kind: 'exited', exitCode: 0 });
  });

  test('a run is found while it runs and after it ended; one that never was is not', async () => {
    const one = assignment({ mode: 'hang' });
    const { handle, begun } = await whenBegun(its.runtime, one);
    await begun;
    const found = await its.runtime.find(one);
    await its.runtime.kill(one.executionId);
    const result = await handle.wait();
    assert.equal((await found?.wait())?.outcome, result.outcome);
    const afterwards = await its.runtime.find(one);
    assert.equal((await afterwards?.wait())?.outcome, result.outcome);
    assert.is(await its.runtime.find({ ...one, executionId: 'plan.nobody.1' }), undefined);
  });

  test('a run outlives the process that started it: it is found, and has ended once, with its exit code', async () => {
    const one = assignment({ exit_code: 7 });
    await its.runFromKilledProcess(one);
    const results: RunResult[] = [];
    for (let look = 0; look < 2; look++) {
      const handle = await its.runtime.find(one);
      if (handle === undefined) throw new Error('the run is not found');
      results.push(await handle.wait());
    }
    for (const { outcome } of results) assert.equal(outcome, { kind: 'exited', exitCode: 7 });
    assert.is(said(results[0] as RunResult, 'token'), said(results[1] as RunResult, 'token'));
    assert.is(textOf(results[0] as RunResult).match(/^token /gm)?.length, 1);
    // Whoever was told to run it meanwhile gets the same run.
    assert.is(said(await run(one), 'token'), said(results[0] as RunResult, 'token'));
  });

  test('a run that was taken up is held to its deadline, and can be killed', async () => {
    const [late, killed] = [assignment({ mode: 'hang' }), assignment({ mode: 'stubborn' })];
    await Promise.all([late, killed].map((one) => its.runFromKilledProcess(one)));
    const handle = await its.runtime.find({ ...late, deadlineMs: Date.now() + 200 });
    assert.equal((await handle?.wait())?.outcome, { kind: 'timed_out' });
    const other = await its.runtime.find(killed);
    await its.runtime.kill(killed.executionId);
    assert.equal((await other?.wait())?.outcome, { kind: 'killed' });
  });

  test('a processor gets its job and its secrets, and nothing of the host', async () => {
    // As the dispatcher grants them.
    const secrets = concealed({ PROBE_TOKEN: 'tok"en $HOME\nline', OTHER: 'ü' });
    const look = { mode: 'look', text: 'Größe\n"$(id)"' };
    if (!can('takesSecrets')) return ofItsOwn(look, secrets);
    process.env.ISOMORPH_TEST_HOST_SECRET = 'of the host';
    const one = assignment(look, { secrets });
    const result = await run(one);
    delete process.env.ISOMORPH_TEST_HOST_SECRET;
    assert.equal(JSON.parse(said(result, 'job') ?? ''), one.job);
    const env = JSON.parse(said(result, 'env') ?? '{}') as Record<string, string>;
    const expected = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ', 'PROBE_TOKEN', 'OTHER'];
    const names = Object.keys(env).filter((variable) => !its.ownVariables.includes(variable));
    assert.equal(names.sort(), expected.sort());
    assert.equal([env.PROBE_TOKEN, env.OTHER, env.TZ], [secrets.PROBE_TOKEN, secrets.OTHER, 'UTC']);
    assert.not.match(textOf(result), /of the host/);
    assert.not.match(said(result, 'job') ?? '', /PROBE_TOKEN/);
  });

  /** Secrets of a worker are its own: by name, and never in what it says. */
  async function ofItsOwn(look: Record<string, unknown>, secrets: Readonly<Record<string, string>>): Promise<void> {
    const granted = { ...its.actor, secrets: { required: ['PROBE_TOKEN'] } };
    const one = assignment(look, { processor: granted, secrets: concealed({ PROBE_TOKEN: 'another' }) });
    const result = await run(one);
    assert.equal(JSON.parse(said(result, 'job') ?? ''), { params: look, execution_id: one.executionId });
    assert.is(said(result, 'secret'), `${secrets.PROBE_TOKEN?.length} [secret]`);
    assert.not.match(textOf(result), /another|tok"en|tok\\"en/);
    // What the registry does not name it has not.
    const without = await run(assignment(look));
    assert.equal([without.outcome, without.error?.code], [{ kind: 'exited', exitCode: 1 }, 'ERR_MISSING_SECRET']);
  }

  test('the folders of a run are its own, and empty', async () => {
    // It has those of its worker.
    if (!can('ownProcess')) return;
    const looks = await Promise.all([1, 2].map(() => run(assignment({ mode: 'look' }))));
    const envs = looks.map((look) => JSON.parse(said(look, 'env') ?? '{}') as Record<string, string>);
    for (const look of looks) {
      const { cwd, temp } = JSON.parse(said(look, 'folders') ?? '{}') as Record<string, string[]>;
      assert.equal(temp, []);
      if (its.workingFolder === 'empty') assert.equal(cwd, []);
    }
    if (its.workingFolder === 'empty') assert.is.not(envs[0]?.TMPDIR, envs[1]?.TMPDIR);
  });

  test('what is forgotten is gone, and may be run anew', async () => {
    const one = assignment();
    const first = said(await run(one), 'token');
    await its.runtime.forget(one.executionId);
    assert.is(await its.runtime.find(one), undefined);
    const second = said(await run(one), 'token');
    assert.match(second ?? '', /^[0-9a-f-]{36}$/);
    assert.is.not(second, first);
    await its.runtime.forget(one.executionId);
    await its.runtime.forget('plan.nobody.1');
  });

  test('the environment names what ran, without a secret value', async () => {
    const environment = await its.runtime.environment(its.actor, ['ZED', 'ALPHA']);
    assert.is(environment.adapter, its.runtime.adapter);
    assert.is(environment.image, its.actor.image);
    assert.match(environment.image_digest, /^(blake3|sha256):[0-9a-f]{64}$/);
    assert.equal(environment.present_env_keys, ['ALPHA', 'ZED']);
    assert.equal(await its.runtime.environment(its.actor, ['ZED', 'ALPHA']), environment);
  });

  test.run();
}
