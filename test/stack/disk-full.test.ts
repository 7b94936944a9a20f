import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { delay } from '../../shared/async/delay.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { Disk, mayMount } from './disk.ts';

const test = suite('the disk of nats-server is full');
test.skipUnless(mayMount, 'a disk can be made full by root on Linux only');

let its: TestStack;
let disk: Disk;
test.before(async () => {
  its = await startTestStack({
    async prepare(home) {
      disk = await Disk.behind(home);
    },
  });
});
test.after(async () => {
  await its.stop();
  await disk.unmount();
});

interface Line {
  readonly msg: string;
  readonly service?: string;
  readonly free_bytes?: number;
}

/** The first line of the services' log that `isIt` accepts; the test's own timeout bounds the wait. */
async function logged(isIt: (line: Line) => boolean): Promise<Line> {
  for (;;) {
    const text = await readFile(path.join(its.home, 'logs', 'services.log'), 'utf8');
    const lines = text.trim().split('\n');
    const found = lines.map((line) => JSON.parse(line) as Line).find(isIt);
    if (found !== undefined) return found;
    await delay(100);
  }
}

test('it is told with the amounts, and with room again plans go on in the services that were there', async () => {
  const started = its.client.subscribe('ledger.under-way.execution.started', { max: 1 });
  await its.submit(probePlan('under-way', { params: { work_ms: 1_000 } }));
  for await (const _ of started);
  await disk.fill();
  // The end of the run cannot be recorded.
  const stack = await logged(({ msg }) => msg.includes('nats-server cannot write'));
  assert.ok(stack.free_bytes !== undefined && stack.free_bytes < 8 * 1024 * 1024, JSON.stringify(stack));
  const service = await logged(({ msg, service }) => service === 'dispatcher' && msg === 'handling failed');
  assert.ok(service);
  await disk.free();
  assert.is((await its.ended('under-way')).settled?.status, 'succeeded');
  await its.submit(probePlan('afterwards'));
  assert.is((await its.ended('afterwards')).settled?.status, 'succeeded');
});

test.run();
