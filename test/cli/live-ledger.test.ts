import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import * as assert from 'uvu/assert';
import { tailLedger } from '../../cli/ledger-source.ts';
import { Journal } from '../../shared/journal/journal.ts';
import { suite } from '../harness/suite.ts';
import { rejected, submitted } from '../ledger/plan-history.ts';
import { linesOf, START_MS } from './chain-fixture.ts';
import { withLive, writePlan } from './live.ts';
import { runCli } from './run-cli.ts';

const test = suite('cli on a live ledger');

test('what is exported is what is stored, and verifies; its head is the head of the ledger', async () => {
  await withLive(async ({ connection, cwd, env }) => {
    await writePlan(connection, 'p');
    const exported = await runCli(['ledger', 'export', 'p'], { cwd, env });
    assert.is(exported.code, 0);
    assert.is(exported.stdout, `${linesOf('p').join('\n')}\n`);
    const file = await runCli(['ledger', 'export', 'p', '-o', 'p.ndjson', '--json'], { cwd, env });
    const [{ head_hash: head }] = file.documents() as [{ head_hash: string }];
    assert.is(await readFile(path.join(cwd, 'p.ndjson'), 'utf8'), exported.stdout);
    assert.is((await runCli(['ledger', 'verify', 'p.ndjson', '--head', head], { cwd })).code, 0);
    assert.ok((await runCli(['ledger', 'head', 'p'], { cwd, env })).stdout.startsWith(`${head}\n`));
    assert.is((await runCli(['ledger', 'verify'], { cwd, env })).code, 0);
    const unknown = await runCli(['ledger', 'export', 'nope'], { cwd, env });
    assert.is(unknown.code, 1);
    assert.match(unknown.stderr, /^error ERR_PLAN_UNKNOWN/);
  });
});

test('a message that is no event is skipped by every reader and found by verify', async () => {
  await withLive(async ({ connection, cwd, env }) => {
    await writePlan(connection, 'p');
    await jetstream(connection).publish('ledger.p.plan.settled', 'no event');
    const exported = await runCli(['ledger', 'export', 'p'], { cwd, env });
    assert.is(exported.stdout, `${linesOf('p').join('\n')}\n`);
    assert.match(exported.stderr, /is no event, skipped/);
    const verified = await runCli(['ledger', 'verify'], { cwd, env });
    assert.is(verified.code, 1);
    assert.match(verified.stdout, /✗ message \d+\n +ERR_NOT_AN_EVENT/);
  });
});

test('an end that does not follow the chain is no end for whoever exports, copies or watches', async () => {
  await withLive(async ({ connection, cwd, env }) => {
    await writePlan(connection, 'p', 0, 4);
    const before = await jetstream(connection).publish('ledger.p.plan.settled', linesOf('p').at(-1) ?? '');
    const exported = await runCli(['ledger', 'export', 'p', '-o', 'p.ndjson', '--json'], { cwd, env });
    const [{ head_hash: head, events }] = exported.documents() as [{ head_hash: string; events: number }];
    assert.match((await runCli(['ledger', 'export', 'p'], { cwd, env })).stderr, /does not follow the chain, skipped/);
    assert.is(await readFile(path.join(cwd, 'p.ndjson'), 'utf8'), `${linesOf('p').slice(0, events).join('\n')}\n`);
    assert.is((await runCli(['ledger', 'verify', 'p.ndjson', '--open', '--head', head], { cwd })).code, 0);
    const heads = (await runCli(['ledger', 'head', '--json'], { cwd, env })).documents() as [{ plans: unknown[] }];
    assert.ok(JSON.stringify(heads[0].plans).includes(head), 'the head is that of the chain');
    await writePlan(connection, 'p', 4);
    const watched = await runCli(['watch', 'p', '--json'], { cwd, env });
    const documents = watched.documents() as { type?: string; event?: { seq: number } }[];
    assert.is(watched.code, 0);
    assert.equal(
      documents.flatMap(({ event }) => event?.seq ?? []),
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
    // Who comes to the ledger in its middle tells them apart all the same.
    const done = new AbortController();
    const kinds: string[] = [];
    for await (const one of tailLedger(connection, undefined, before.seq, done.signal)) {
      kinds.push(one.kind);
      if (one.kind === 'commit' && one.events.at(-1)?.kind === 'plan.settled') done.abort();
    }
    assert.is(kinds[0], 'foreign');
    assert.ok(kinds.length > 1 && kinds.slice(1).every((kind) => kind === 'commit'));
  });
});

test('plans and one plan are shown from the ledger alone', async () => {
  await withLive(async ({ connection, cwd, env, url }) => {
    await writePlan(connection, 'done');
    await writePlan(connection, 'open', 0, 3);
    // By NATS_URL, with nothing else named: no Postgres, no artifacts.
    const plans = await runCli(['plans', '--json'], { cwd, env: { NATS_URL: url } });
    const [listed] = plans.documents() as [{ plan_id: string; status: string }[]];
    assert.equal(listed.map(({ plan_id, status }) => `${plan_id} ${status}`).sort(), [
      'done succeeded',
      'open running',
    ]);
    const shown = await runCli(['show', 'done'], { cwd, env });
    assert.is(shown.code, 0);
    assert.match(shown.stdout, /^done {2}succeeded\n/);
    assert.match(shown.stdout, /\n {2}ledger +20 events, chain verified\n/);
    const document = (await runCli(['show', 'open', '--json'], { cwd, env })).documents()[0] as { status: string };
    assert.is(document.status, 'running');
  });
});

test('watch follows a plan from its start to its end, and its exit code is how it ended', async () => {
  await withLive(async ({ connection, cwd, env }) => {
    await writePlan(connection, 'p', 0, 4);
    const watching = runCli(['watch', 'p'], { cwd, env });
    await writePlan(connection, 'p', 4);
    const { code, stdout } = await watching;
    assert.is(code, 0);
    assert.match(stdout, /✗ flaky +attempt 1 failed: ERR_EXIT[\s\S]*↻ flaky[\s\S]*✓ plan +succeeded after 1\.8 s/);
    const events = (await runCli(['watch', 'p', '--json'], { cwd, env })).documents() as { event: { seq: number } }[];
    assert.equal(
      events.map(({ event }) => event.seq),
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
  });
});

test('a commit that the stream refuses is never shown', async () => {
  await withLive(async ({ connection, cwd, url }) => {
    // Inside the account of the services, whose subscribers hear every publish.
    const env = { NATS_URL: url };
    await writePlan(connection, 'p', 0, 4);
    let shown: () => void = () => undefined;
    // It shows the past once it listens for the future.
    const listening = new Promise<void>((resolve) => {
      shown = resolve;
    });
    const watching = runCli(['watch', 'p', '--json'], { cwd, env, onOutput: () => shown() });
    await listening;
    // Heard by every subscriber of the subject, and stored by none: it lost its race.
    const expect = { lastSubjectSequence: 1, lastSubjectSequenceSubject: 'ledger.p.>' };
    const refused = jetstream(connection).publish('ledger.p.plan.settled', linesOf('p').at(-1) ?? '', { expect });
    await refused.then(
      () => assert.unreachable('the stream took it'),
      () => undefined,
    );
    await writePlan(connection, 'p', 4);
    const seqs = ((await watching).documents() as { event: { seq: number } }[]).map(({ event }) => event.seq);
    assert.equal(
      seqs,
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
  });
});

test('submit is stored and acknowledged; without --wait nobody has judged it yet', async () => {
  await withLive(async ({ cwd, env }) => {
    const { code, documents } = await runCli(['submit', '-', '--json'], { cwd, env, stdin: 'plan_id: p\nsteps: []' });
    assert.is(code, 0);
    assert.equal(documents(), [{ plan_id: 'p', ack: { stream: 'COMMANDS', seq: 1, duplicate: false } }]);
  });
});

test('submit --wait shows a refused command with its code and place', async () => {
  await withLive(async ({ connection, cwd, env }) => {
    const fault = { code: 'ERR_TOO_LARGE', message: 'too much', pointer: '', expected: 'less' };
    // What admission does with a command that no plan can come of.
    connection.subscribe('plans.submit', {
      callback: () => connection.publish('dead.commands.anonymous.p', JSON.stringify({ fault })),
    });
    await connection.flush();
    const refused = await runCli(['submit', '-', '--wait'], { cwd, env, stdin: 'plan_id: p\nsteps: []' });
    assert.is(refused.code, 1);
    assert.match(refused.stdout, /✗ the command was refused\n {2}ERR_TOO_LARGE too much/);
  });
});

test('submit --wait of a plan_id that another body has is refused, whatever that plan does', async () => {
  await withLive(async ({ connection, cwd, env }) => {
    await writePlan(connection, 'p');
    const { code, stdout } = await runCli(['submit', '-', '--wait'], { cwd, env, stdin: 'plan_id: p\nsteps: []' });
    assert.is(code, 1);
    assert.match(stdout, /ERR_PLAN_CONFLICT/);
    assert.not.match(stdout, /succeeded/);
  });
});

test('a plan whose id was given back is watched to the end of what took it, and shown as that', async () => {
  await withLive(async ({ connection, cwd, env }) => {
    const admission = new Journal({ connection, by: 'admission', nowMs: () => START_MS });
    await admission.append('p', () => ({ drafts: [submitted('p', 3), rejected('no such luck')] }));
    const turnedDown = await runCli(['watch', 'p'], { cwd, env });
    assert.is(turnedDown.code, 1, 'nothing followed it yet');
    await writePlan(connection, 'p');
    assert.match((await runCli(['watch', 'p'], { cwd, env })).stdout, /no such luck[\s\S]*succeeded after/);
    const shown = await runCli(['show', 'p', '--json'], { cwd, env });
    const [{ status, faults, verification }] = shown.documents() as [
      { status: string; faults: unknown[]; verification: { findings: unknown[] } },
    ];
    assert.equal([shown.code, status, faults, verification.findings], [0, 'succeeded', [], []]);
  });
});

test('dead lists what was refused, by plan and by principal, within 80 columns', async () => {
  await withLive(async ({ connection, cwd, env }) => {
    const js = jetstream(connection);
    const letter = (code: string, message: string, planId?: string) =>
      JSON.stringify({
        ...(planId === undefined ? {} : { plan_id: planId }),
        ...{ fault: { code, message }, stream: 'COMMANDS', seq: 7, subject: 'plans.bob.cancel', deliveries: 1 },
        ...{ body_base64: '', body_truncated: false },
      });
    assert.match((await runCli(['dead'], { cwd, env })).stdout, /Nothing was refused/);
    await js.publish(
      'dead.commands.bob.held',
      letter('ERR_PRINCIPAL', `plan held is not of bob ${'x'.repeat(200)}`, 'held'),
    );
    await js.publish(
      `dead.commands.${'p'.repeat(63)}.${'q'.repeat(63)}`,
      letter('ERR_INPUT_UNDECLARED', 'no', 'q'.repeat(63)),
    );
    await js.publish('dead.commands.of-then', letter('ERR_SCHEMA', 'of an earlier version'));
    await js.publish('dead.commands.bob.held', 'no letter at all');
    const all = await runCli(['dead'], { cwd, env });
    assert.is(all.code, 0);
    assert.match(all.stdout, /COMMANDS {2}bob +held +ERR_PRINCIPAL\n +plan held is not of bob/);
    assert.ok(
      all.stdout.split('\n').every((line) => [...line].length <= 80),
      all.stdout,
    );
    const plansOf = async (...args: string[]) =>
      ((await runCli(['dead', ...args, '--json'], { cwd, env })).documents()[0] as { plan_id: string }[]).map(
        ({ plan_id: id }) => id,
      );
    assert.equal(await plansOf('held'), ['held']);
    assert.equal(await plansOf('--principal', 'bob'), ['held']);
    assert.equal(await plansOf('of-then'), ['of-then']);
    assert.equal(await plansOf('--principal', 'nobody'), []);
    assert.equal(await plansOf('--limit', '1'), ['of-then']);
  });
});

test('cancel knows what cannot be cancelled', async () => {
  await withLive(async ({ connection, cwd, env }) => {
    await writePlan(connection, 'done');
    await writePlan(connection, 'open', 0, 3);
    assert.match((await runCli(['cancel', 'nope'], { cwd, env })).stderr, /^error ERR_PLAN_UNKNOWN/);
    assert.match((await runCli(['cancel', 'done'], { cwd, env })).stderr, /^error ERR_PLAN_SETTLED/);
    const stored = await runCli(['cancel', 'open'], { cwd, env });
    assert.is(stored.code, 0);
    // It may be refused yet.
    assert.match(
      stored.stdout,
      /the command to cancel open is stored .*\n {2}not judged yet: .* dead open if it is refused/,
    );
  });
});

test.run();
