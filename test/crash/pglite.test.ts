import path from 'node:path';
import pg from 'pg';
import * as assert from 'uvu/assert';
import { delay } from '../../shared/async/delay.ts';
import { findByLastArguments } from '../../stack/process.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('PGlite killed at work');

let its: TestStack;
test.before(async () => {
  its = await startTestStack();
});
test.after(() => its.stop());

/** The phase that the projection shows; undefined while it has none or cannot be asked. */
async function phaseOf(pool: pg.Pool, planId: string): Promise<string | undefined> {
  const answer = await pool
    .query<{ phase: string }>('select phase from isomorph.plans where plan_id = $1', [planId])
    .catch(() => undefined);
  return answer?.rows[0]?.phase;
}

test('the statement under way fails, the server is started again, and the projection goes on', async () => {
  const pool = new pg.Pool({ connectionString: its.stack.info.postgres.url, max: 2 });
  pool.on('error', () => undefined);
  await its.submit(probePlan('before'));
  await its.ended('before');
  while ((await phaseOf(pool, 'before')) !== 'settled') await delay(50);
  const underWay = pool.query('select count(*) from generate_series(1, 1000000000)').then(
    () => assert.unreachable('a killed server answered'),
    (error: Error) => error,
  );
  const [pid = 0] = await findByLastArguments(['pglite', path.join(its.home, 'postgres', 'data')]);
  process.kill(pid, 'SIGKILL');
  assert.instance(await underWay, Error);
  await its.submit(probePlan('after'));
  assert.is((await its.ended('after')).settled?.status, 'succeeded');
  while ((await phaseOf(pool, 'after')) !== 'settled') await delay(50);
  assert.is(await phaseOf(pool, 'before'), 'settled');
  await pool.end();
});

test.run();
