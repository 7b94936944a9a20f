import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { Gate } from '../../services/admission/gate.ts';
import { DEFAULT_LIMITS } from '../../services/common/config/limits.ts';
import { delay } from '../../shared/async/delay.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import type { DeadLetter } from '../../shared/wire/dead.ts';
import { runCli } from '../cli/run-cli.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { scaledMs } from '../harness/slowness.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('who floods is refused, everybody else goes on');

const LIMITS = {
  ISOMORPH_MAX_OPEN_PLANS_A_PRINCIPAL: '3',
  ISOMORPH_MAX_REJECTED_BYTES_A_PRINCIPAL: '64KiB',
  ISOMORPH_MAX_LEDGER_BYTES: '1MiB',
};

let its: TestStack;
let alice: NatsConnection;
test.before(async () => {
  its = await startTestStack({
    services: ['admission', 'dispatcher', 'settler'],
    env: { ...LIMITS, ISOMORPH_PRINCIPALS: 'alice' },
  });
  alice = await connectNats({ url: its.stack.info.nats.principals?.alice ?? '', name: 'alice' });
});
test.after(async () => {
  await alice.close();
  await its.stop();
});

const hanging = (planId: string) => probePlan(planId, { params: { mode: 'hang' } });
const send = (name: string, body: unknown) =>
  alice.request(`plans.alice.${name}`, JSON.stringify(body), { timeout: scaledMs(10_000) });
const submit = (body: unknown) => send('submit', body);
const refusalOf = async (planId: string, body: unknown): Promise<DeadLetter['fault']> => {
  const letter = await heard(alice, `dead.commands.alice.${planId}`, () => submit(body));
  return (JSON.parse(letter) as DeadLetter).fault;
};
/** Of a plan that is rejected: undefined when the ledger has it, else what its sender alone was told. */
async function rejectionOf(body: ReturnType<typeof probePlan>): Promise<DeadLetter['fault'] | undefined> {
  const told = alice.subscribe(`dead.commands.alice.${body.plan_id}`, { max: 1 });
  const recorded = its.client.subscribe(`ledger.${body.plan_id}.plan.rejected`, { max: 1 });
  await Promise.all([alice.flush(), its.client.flush()]);
  await submit(body);
  const first = (subscription: Subscription) => subscription[Symbol.asyncIterator]().next();
  const { value } = await Promise.race([first(told), first(recorded)]);
  for (const one of [told, recorded]) one.unsubscribe();
  return value.subject.startsWith('dead.') ? (value.json() as DeadLetter).fault : undefined;
}
const cli = (...args: string[]) => runCli(args, { env: { ISOMORPH_HOME: its.home } });

/** A plan of nobody in particular runs meanwhile. */
async function harmless(planId: string): Promise<void> {
  await its.submit(probePlan(planId));
  assert.is((await its.ended(planId)).settled?.status, 'succeeded');
}

async function logged(text: string): Promise<Record<string, unknown>> {
  for (;;) {
    const lines = (await readFile(path.join(its.home, 'logs', 'services.log'), 'utf8')).trim().split('\n');
    const found = lines.map((line) => JSON.parse(line) as Record<string, unknown>).find(({ msg }) => msg === text);
    if (found !== undefined) return found;
    await delay(50);
  }
}

test('with as many open plans as it may have a principal gets no more, until one ends or the limit is raised', async () => {
  const names = ['open-1', 'open-2', 'open-3'];
  for (const name of names) await heard(its.client, `ledger.${name}.plan.admitted`, () => submit(hanging(name)));
  const refused = await refusalOf('open-4', hanging('open-4'));
  assert.is(refused.code, 'ERR_LIMIT');
  assert.match(refused.message, 'ISOMORPH_MAX_OPEN_PLANS_A_PRINCIPAL is reached: 3 of alice');
  assert.is((await its.read('open-4')).state.phase, 'absent');
  await harmless('beside-open');
  const { limit, used, most, principal } = await logged('a limit is hit');
  assert.equal([limit, used, most, principal], ['ISOMORPH_MAX_OPEN_PLANS_A_PRINCIPAL', 3, 3, 'alice']);

  // The same body again is the same plan, not one more.
  await submit(hanging('open-1'));
  // Another copy of admission, or this one after a restart, counts the same.
  const limits = { ...DEFAULT_LIMITS, openPlansOfPrincipal: 3 };
  const gate = new Gate({ connection: its.core, limits, nowMs: Date.now, log: pino({ level: 'silent' }) });
  assert.is((await gate.refusesPlan('alice'))?.code, 'ERR_LIMIT');
  assert.is(await gate.refusesPlan('anonymous'), undefined);

  assert.is((await cli('limits', 'set', 'ISOMORPH_MAX_OPEN_PLANS_A_PRINCIPAL', '4')).code, 0);
  // Near a limit each plan is counted exactly, by the limit as it is then.
  assert.is(await gate.refusesPlan('alice'), undefined);
  await heard(its.client, 'ledger.open-4.plan.admitted', () => submit(hanging('open-4')));
  assert.is((await cli('limits', 'unset', 'ISOMORPH_MAX_OPEN_PLANS_A_PRINCIPAL')).code, 0);
  for (const name of [...names, 'open-4']) {
    await send('cancel', { plan_id: name });
    assert.is((await its.ended(name)).settled?.status, 'cancelled');
  }
  await heard(its.client, 'ledger.open-5.plan.admitted', () => submit(probePlan('open-5')));
});

test('rejected plans are recorded up to a limit; beyond it their sender is told why, and nothing is left of them', async () => {
  const bad = (planId: string) => probePlan(planId, { params: { text: 'x'.repeat(20_000) }, processor: 'no/such@1' });
  await heard(its.client, 'ledger.bad-0.plan.rejected', () => submit(bad('bad-0')));
  // One after the other: plans of different ids are judged side by side, and the last that was sent need not be the one refused.
  let recorded = 1;
  let refused = await rejectionOf(bad(`bad-${recorded}`));
  for (; refused === undefined; refused = await rejectionOf(bad(`bad-${recorded}`))) recorded += 1;
  assert.ok(recorded <= 4, `${recorded} were recorded`);
  assert.is(refused.code, 'ERR_LIMIT');
  assert.match(refused.message, 'rejected for ERR_UNKNOWN_PROCESSOR at /steps/0/processor');
  assert.is((await its.read(`bad-${recorded}`)).state.phase, 'absent');
  assert.equal((await its.store.list({ prefix: `/artifacts/plans/bad-${recorded}/` })).entries, []);
  await harmless('beside-rejected');
});

test('a ledger that is nearly full takes no new plan, ends those that it has, and takes new ones when the limit is raised', async () => {
  await heard(its.client, 'ledger.running.execution.started', () => submit(hanging('running')));
  // With two of her three plans open each one of alice is judged by the ledger as it is then, not as it was a second before.
  await heard(its.client, 'ledger.running-too.execution.started', () => submit(hanging('running-too')));
  // Foreign messages fill it as well as any.
  for (let at = 0; at < 9; at++) await its.core.request(`ledger.noise-${at}.plan.noise`, 'x'.repeat(100_000));
  const { code, message } = await refusalOf('no-room', probePlan('no-room'));
  assert.is(code, 'ERR_LEDGER_FULL');
  assert.match(message, 'of 1MiB, and keeps');
  const told = await logged('a stream is near its limit');
  assert.equal([told.stream, told.limit], ['LEDGER', 'ISOMORPH_MAX_LEDGER_BYTES']);
  const doctor = await cli('doctor', '--json');
  const [{ checks }] = doctor.documents() as [{ checks: { name: string; verdict: string; found: string }[] }];
  const line = checks.find(({ name }) => name === 'limits');
  assert.is(line?.verdict, 'warn');
  assert.match(line?.found ?? '', /near: ledger_bytes \S+ of 1MiB \(LEDGER\)/);
  // What is open ends all the same.
  for (const planId of ['running', 'running-too']) {
    await send('cancel', { plan_id: planId });
    assert.is((await its.ended(planId)).settled?.status, 'cancelled');
  }

  const raised = await cli('limits', 'set', 'ISOMORPH_MAX_LEDGER_BYTES', '8MiB', '--json');
  assert.equal(raised.documents(), [{ name: 'ISOMORPH_MAX_LEDGER_BYTES', value: 8 * 1024 ** 2, holds_from: 'now' }]);
  await harmless('after-raise');
  const listed = (await cli('limits', 'list', '--json')).documents()[0] as {
    name: string;
    most: number;
    set: boolean;
  }[];
  const ledger = listed.find(({ name }) => name === 'ISOMORPH_MAX_LEDGER_BYTES');
  assert.equal([ledger?.most, ledger?.set], [8 * 1024 ** 2, true]);
  const tooLarge = await cli('limits', 'set', 'ISOMORPH_MAX_LEDGER_BYTES', '1TiB');
  assert.is(tooLarge.code, 1);
  assert.match(tooLarge.stderr, 'ERR_NO_ROOM');
});

test.run();
