import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { connectNats } from '../../shared/nats/connect.ts';
import type { DeadLetter } from '../../shared/wire/dead.ts';
import { runCli } from '../cli/run-cli.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('who commands');

let its: TestStack;
let alice: NatsConnection;
let bob: NatsConnection;
let operator: NatsConnection;
test.before(async () => {
  its = await startTestStack({
    services: ['admission', 'dispatcher', 'settler'],
    env: { ISOMORPH_PRINCIPALS: 'alice, bob' },
  });
  const { principals = {} } = its.stack.info.nats;
  const as = (name: string) => connectNats({ url: principals[name] ?? '', name });
  [alice, bob, operator] = await Promise.all([as('alice'), as('bob'), as('operator')]);
});
test.after(async () => {
  await Promise.all([alice, bob, operator].map((connection) => connection.close()));
  await its.stop();
});

const hanging = (planId: string) => probePlan(planId, { params: { mode: 'hang' } });
const send = (connection: NatsConnection, subject: string, body: unknown) =>
  connection.request(subject, JSON.stringify(body), { timeout: 10_000 });
const faultOf = (letter: string): DeadLetter['fault'] => (JSON.parse(letter) as DeadLetter).fault;

test('who commanded is in the ledger', async () => {
  await send(alice, 'plans.alice.submit', probePlan('of-alice'));
  await its.submit(probePlan('of-nobody'));
  assert.is((await its.ended('of-alice')).submitted?.principal, 'alice');
  assert.is((await its.ended('of-nobody')).submitted?.principal, 'anonymous');
});

test('a plan is cancelled by its own principal or an operator; another one is refused, and hears of it itself', async () => {
  await heard(its.client, 'ledger.held.plan.admitted', () => send(alice, 'plans.alice.submit', hanging('held')));
  const refused = faultOf(
    await heard(bob, 'dead.commands.bob.held', () => send(bob, 'plans.bob.cancel', { plan_id: 'held' })),
  );
  assert.equal([refused.code, refused.message], ['ERR_PRINCIPAL', 'plan held is not of bob']);
  const unnamed = await heard(its.client, 'dead.commands.anonymous.held', () =>
    send(its.client, 'plans.cancel', { plan_id: 'held' }),
  );
  assert.is(faultOf(unnamed).code, 'ERR_PRINCIPAL');
  assert.is((await its.read('held')).state.cancelRequested, undefined);
  await send(alice, 'plans.alice.cancel', { plan_id: 'held' });
  assert.is((await its.ended('held')).settled?.status, 'cancelled');

  await heard(its.client, 'ledger.held-2.plan.admitted', () => send(alice, 'plans.alice.submit', hanging('held-2')));
  await send(operator, 'plans.operator.cancel', { plan_id: 'held-2' });
  assert.is((await its.ended('held-2')).settled?.status, 'cancelled');
});

test('the same body under the id of another’s plan is one run, and stays that one’s', async () => {
  await heard(its.client, 'ledger.shared.plan.admitted', () => send(alice, 'plans.alice.submit', hanging('shared')));
  await send(bob, 'plans.bob.submit', hanging('shared'));
  const refusal = await heard(bob, 'dead.commands.bob.shared', () =>
    send(bob, 'plans.bob.cancel', { plan_id: 'shared' }),
  );
  assert.is(faultOf(refusal).code, 'ERR_PRINCIPAL');
  await send(alice, 'plans.alice.cancel', { plan_id: 'shared' });
  const { submitted, settled } = await its.ended('shared');
  assert.equal([submitted?.principal, settled?.status], ['alice', 'cancelled']);
});

test('a command whose subject names nobody is refused, and nobody is told but who hears all', async () => {
  for (const token of ['Alice', '_', 'a'.repeat(64), 'ä']) {
    const letter = await heard(operator, 'dead.commands._.nameless', () =>
      send(its.core, `plans.${token}.submit`, probePlan('nameless')),
    );
    assert.is(faultOf(letter).code, 'ERR_PRINCIPAL', token);
  }
  assert.is((await its.read('nameless')).state.phase, 'absent');
});

test('what is refused of a plan by others than admission is told to the principal whose plan it is', async () => {
  await its.ended('of-alice');
  const work = {
    plan_id: 'of-alice',
    execution_id: 'of-alice.ghost.1',
    not_before: new Date(0).toISOString(),
    ledger_seq: 1,
  };
  const letter = await heard(alice, 'dead.work.alice.of-alice', async () => {
    await its.core.request('work.mock', JSON.stringify(work), { timeout: 10_000 });
  });
  assert.is(faultOf(letter).code, 'ERR_NOT_FOUND');
});

test('the command line commands as the principal that is named, by flag or environment', async () => {
  const env = { ISOMORPH_HOME: its.home };
  const cli = (args: string[], more = {}, stdin?: string) =>
    runCli(args, { cwd: its.home, env: { ...env, ...more }, ...(stdin === undefined ? {} : { stdin }) });
  const body = JSON.stringify(hanging('by-cli'));
  await heard(its.client, 'ledger.by-cli.execution.started', async () => {
    assert.is((await cli(['submit', '-'], { ISOMORPH_PRINCIPAL: 'alice' }, body)).code, 0);
  });
  const refused = await cli(['cancel', 'by-cli', '--wait', '--principal', 'bob']);
  assert.is(refused.code, 1);
  assert.match(refused.stdout, /ERR_PRINCIPAL plan by-cli is not of bob/);
  const cancelled = await cli(['cancel', 'by-cli', '--wait', '--principal', 'operator']);
  assert.is(cancelled.code, 0, cancelled.stdout);
  assert.is((await its.ended('by-cli')).submitted?.principal, 'alice');

  const stranger = await cli(['cancel', 'by-cli', '--principal', 'carol']);
  assert.match(
    stranger.stderr,
    /ERR_PRINCIPAL: the stack that runs here knows no principal carol[\s\S]*operator or alice or bob/,
  );
  assert.match(
    (await cli(['cancel', 'by-cli', '--principal', 'Al ice'])).stderr,
    /ERR_PRINCIPAL: nobody can be called "Al ice"/,
  );
  const forged = await cli(
    ['submit', '-', '--principal', 'bob'],
    { NATS_URL: its.stack.info.nats.principals?.alice },
    body,
  );
  assert.match(forged.stderr, /ERR_PRINCIPAL: NATS lets nobody with these credentials command as bob/);
});

test.run();
