import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { WaitingWork } from '../../services/dispatcher/waiting-work.ts';
import { openExecutions } from '../../shared/ledger/state.ts';
import { publish } from '../../shared/nats/publish.ts';
import { missedAt } from '../../shared/plan/due.ts';
import { workSubject } from '../../shared/wire/work.ts';
import { suite } from '../harness/suite.ts';
import { withLive } from '../ledger/live.ts';
import { ID, scheduledChain } from './one-step.ts';

const test = suite('what waits in WORK');

const EXECUTIONS = openExecutions(scheduledChain().state);
const MISSED_MS = Math.max(...EXECUTIONS.map(missedAt));

const send = (connection: NatsConnection, execution_id: string) =>
  publish(
    connection,
    workSubject('mock'),
    JSON.stringify({ plan_id: 'plan', execution_id, not_before: '2026-11-22T08:00:00.000Z', ledger_seq: 1 }),
  );

/** Asks of the one execution; `requests` counts what the server is asked. */
function askingOf(connection: NatsConnection, nowMs = MISSED_MS) {
  const asked = { requests: 0 };
  const counting = new Proxy(connection, {
    get(target, name) {
      if (name === 'request') asked.requests += 1;
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const work = new WaitingWork(counting, () => nowMs);
  return { asked, gone: async () => [...(await work.gone(EXECUTIONS))] };
}

test('an execution is gone when its message is, not while that waits, and not before it was missed', () =>
  withLive(async ({ connect }) => {
    const connection = await connect();
    await send(connection, 'plan.other.1');
    assert.equal(await askingOf(connection).gone(), [ID]);
    assert.equal(await askingOf(connection, MISSED_MS - 1).gone(), [], 'the stream was read before it was missed');
    await send(connection, ID);
    assert.equal(await askingOf(connection).gone(), []);
  }));

test('many who ask at once share one reading of the stream', () =>
  withLive(async ({ connect }) => {
    const connection = await connect();
    for (const step of ['a', 'b', 'c']) await send(connection, `plan.${step}.1`);
    const { asked, gone } = askingOf(connection);
    await Promise.all(Array.from({ length: 8 }, gone));
    assert.is(asked.requests, 4, 'three messages, and that there is no other');
    await gone();
    assert.is(asked.requests, 4, 'nor is it read again at once');
  }));

test.run();
