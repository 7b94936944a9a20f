import * as assert from 'uvu/assert';
import { delay } from '../../shared/async/delay.ts';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('scratch of plans');

const SERVICES = ['admission', 'dispatcher', 'settler', 'sampler'] as const;
const LEAVES_A_KEY = { processor: 'test/purged@1', params: {} };

/** With the embedded stack in this process, `memory:<name>` is the store of its gateway. */
async function withStack(name: string, env: Record<string, string>, run: (its: TestStack) => Promise<void>) {
  const its = await startTestStack({ services: SERVICES, env: { KV_URL: `memory:${name}`, ...env } });
  try {
    await run(its);
  } finally {
    await its.stop();
  }
}

test('what a processor leaves in KV stays for a while', () =>
  withStack('kept', {}, async (its) => {
    await its.submit(probePlan('kept', LEAVES_A_KEY));
    const { settled } = await its.ended('kept');
    assert.is(settled?.status, 'succeeded');
    const kv = await openKv('memory:kept');
    const left = await kv.get({ planId: 'kept', key: 'left' });
    assert.is(new TextDecoder().decode(left), 'behind');
  }));

test('the scratch of a settled plan is purged once its time is over', () =>
  withStack('purged', { SCRATCH_RETENTION_S: '0' }, async (its) => {
    const kv = await openKv('memory:purged');
    await kv.put({ planId: 'other', key: 'left', value: new Uint8Array([1]) });
    await its.submit(probePlan('purged', LEAVES_A_KEY));
    await its.ended('purged');
    // No event tells of it: it is looked for until it is gone.
    while ((await kv.get({ planId: 'purged', key: 'left' })) !== undefined) await delay(20);
    assert.ok(await kv.get({ planId: 'other', key: 'left' }), 'another plan keeps its own');
  }));

test.run();
