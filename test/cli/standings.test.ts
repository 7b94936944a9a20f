import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { plansCheckup } from '../../cli/plans-checkup.ts';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { Journal } from '../../shared/journal/journal.ts';
import { hashEvent } from '../../shared/ledger/envelope.ts';
import { suite } from '../harness/suite.ts';
import { START_MS } from './chain-fixture.ts';
import { withLive, writePlan } from './live.ts';
import { runCli } from './run-cli.ts';

/** What a person is told of plans that this version cannot follow to their end. */
const test = suite('cli on plans of another standing');

const CANCEL = { by: 'admission', data: { reason: 'client' }, kind: 'plan.cancel_requested', v: 1 };
const OF_LATER = { by: 'settler', data: { note: 'x' }, kind: 'plan.reviewed', v: 1 };
/** Its writer may not write that. */
const ILLEGAL = { ...CANCEL, by: 'sampler' };

/** Appends an event that links, whatever it says. */
async function appendRaw(connection: NatsConnection, planId: string, says: typeof CANCEL | typeof OF_LATER) {
  const { head } = await new Journal({ connection, by: undefined }).read(planId);
  const open = { ...says, plan_id: planId, prev_hash: head.hash, seq: head.seq + 1, ts: head.ts ?? '' };
  const text = canonicalText({ ...open, this_hash: hashEvent(open) });
  await jetstream(connection).publish(`ledger.${planId}.${says.kind}`, text);
  return open.seq;
}

interface Verified {
  readonly ok: boolean;
  readonly plans: readonly { readonly plan_id: string; readonly standing: string; readonly standing_seq?: number }[];
  readonly findings: readonly { readonly seq: number; readonly code: string }[];
}

test('a newer plan verifies and is shown as intact, with where it is newer; exit 0', async () => {
  await withLive(async ({ connection, cwd, env }) => {
    await writePlan(connection, 'known');
    await writePlan(connection, 'later', 0, 3);
    const seq = await appendRaw(connection, 'later', OF_LATER);
    const text = new RegExp(
      `later is intact and newer than this version from seq ${seq} on, where the\\s+kind plan.reviewed`,
    );

    const live = await runCli(['ledger', 'verify'], { cwd, env });
    assert.is(live.code, 0);
    assert.match(live.stdout, text);
    assert.match(live.stdout, /every hash and link is right, and every transition before what is newer\n/);
    const { stdout } = await runCli(['ledger', 'export', 'later'], { cwd, env });
    await writeFile(path.join(cwd, 'later.ndjson'), stdout);
    const file = await runCli(['ledger', 'verify', '--open', 'later.ndjson'], { cwd });
    assert.is(file.code, 0);
    assert.match(file.stdout, text);
    const [document] = (await runCli(['ledger', 'verify', '--json'], { cwd, env })).documents() as [Verified];
    assert.ok(document.ok);
    assert.equal(
      document.plans.map(({ plan_id, standing, standing_seq }) => [plan_id, standing, standing_seq]),
      [
        ['known', 'known', undefined],
        ['later', 'newer', seq],
      ],
    );

    const shown = await runCli(['show', 'later'], { cwd, env });
    assert.is(shown.code, 0);
    assert.match(shown.stdout, new RegExp(`standing +intact, newer than this version from seq ${seq} on`));
    assert.match(shown.stdout, /chain verified/);
  });
});

test('a quarantined plan is a finding with its place, in the ledger and when it is shown; exit 1', async () => {
  await withLive(async ({ connection, cwd, env }) => {
    await writePlan(connection, 'bad', 0, 3);
    const seq = await appendRaw(connection, 'bad', ILLEGAL);
    await appendRaw(connection, 'bad', CANCEL);

    const verified = await runCli(['ledger', 'verify'], { cwd, env });
    assert.is(verified.code, 1);
    assert.match(verified.stdout, new RegExp(`✗ message 4 \\(bad seq ${seq}\\)\\n +ERR_COMMIT_INVALID .*by sampler`));
    const [document] = (await runCli(['ledger', 'verify', '--json'], { cwd, env })).documents() as [Verified];
    assert.not(document.ok);
    assert.equal(
      document.findings.map((finding) => [finding.seq, finding.code]),
      [[seq, 'ERR_COMMIT_INVALID']],
      'told once',
    );
    assert.is(document.plans[0]?.standing, 'quarantined');

    const shown = await runCli(['show', 'bad'], { cwd, env });
    assert.is(shown.code, 1);
    assert.match(shown.stdout, /NOT VERIFIED/);
    assert.match(shown.stdout, new RegExp(`standing +quarantined, no event any more from seq ${seq} on: .*by sampler`));
  });
});

test('the doctor names both from the ledger alone, with their age, and says that there is no way back', async () => {
  await withLive(async ({ connection, cwd, env, url }) => {
    await writePlan(connection, 'known');
    const look = async () => {
      const { documents } = await runCli(['doctor', '--json'], { cwd, env: { ...env, NATS_URL: url } });
      const [{ checks }] = documents() as [{ checks: { name: string; verdict: string; found: string }[] }];
      return checks.find(({ name }) => name === 'plans');
    };
    const before = await look();
    assert.is(before?.verdict, 'ok');
    assert.match(before?.found ?? '', /there is no way back/);
    await writePlan(connection, 'later', 0, 3);
    await writePlan(connection, 'bad', 0, 3);
    const newer = await appendRaw(connection, 'later', OF_LATER);
    const illegal = await appendRaw(connection, 'bad', ILLEGAL);
    const after = await look();
    assert.is(after?.verdict, 'warn');
    assert.match(
      after?.found ?? '',
      new RegExp(`^newer: later from seq ${newer} on for \\d+ d .*quarantined: bad from seq ${illegal} on for`),
    );
  });
});

test('the doctor names the oldest of many, and what to do', () => {
  const plan = { standing: 'newer', seq: 4, reason: 'a kind', sinceMs: START_MS } as const;
  const many = Array.from({ length: 7 }, (_, index) => ({ ...plan, planId: `p${index}` }));
  const { found, remedy } = plansCheckup(many, START_MS + 120_000);
  assert.match(found, /^newer: p0 from seq 4 on for 2 min \(a kind\), .*p4 .*, and 2 more$/);
  assert.match(remedy ?? '', /services of the version that wrote them, since there is no way back\.$/);
  const [one] = many;
  assert.ok(one !== undefined);
  const quarantined = plansCheckup([{ ...one, standing: 'quarantined', sinceMs: undefined }], START_MS);
  assert.is(quarantined.found, 'quarantined: p0 from seq 4 on (a kind)');
  const bare = Array.from({ length: 6 }, (_, index) => ({ planId: `b${index}`, fault: 'ERR_UNAVAILABLE: EACCES' }));
  const unread = plansCheckup([], START_MS, bare);
  assert.match(unread.found, /^projected without their steps: b0 \(ERR_UNAVAILABLE: EACCES\), b1 .*, and 1 more$/);
  assert.match(unread.remedy ?? '', /appear by themselves/);
  assert.match(plansCheckup(undefined, START_MS).found, /ledger verify/);
});

test.run();
