/** The suites on the real service, for people with a token: docs/modal.md says how. */
import * as assert from 'uvu/assert';
import { kvCapabilities, openKv } from '../../shared/scratch/kv/open.ts';
import { queueCapabilities } from '../../shared/scratch/queue/open.ts';
import { suite } from '../harness/suite.ts';
import { kvAt, queueAt } from './clients.ts';
import { freshPlanId } from './conformance.ts';
import { kvConformance } from './kv-conformance.ts';
import { queueConformance } from './queue-conformance.ts';

const environment = process.env.ISOMORPH_MODAL_REAL;
const url = `modal:${environment ?? ''}`;
const [kv, queue] = await Promise.all([kvCapabilities(url), queueCapabilities(url)]);
const options = { timeoutMs: 60_000 };

const CLIENTS = 8;
const TIMES = 10;

if (environment === undefined)
  process.stdout.write('the real Modal is left out: set ISOMORPH_MODAL_REAL (docs/modal.md)\n');
else {
  kvConformance('modal, real', () => kvAt(url, options), kv);
  queueConformance('modal, real', () => queueAt(url, options), queue);
  const test = suite('modal, real: counting');
  test('8 clients count one key without a gap or a double', async () => {
    const planId = freshPlanId();
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => openKv(url, options)));
    const values = await Promise.all(
      clients.flatMap((client) => Array.from({ length: TIMES }, () => client.incr({ planId, key: 'n' }))),
    );
    const expected = Array.from({ length: CLIENTS * TIMES }, (_, index) => index + 1);
    assert.equal(
      values.sort((a, b) => a - b),
      expected,
    );
    await clients[0]?.purgePlan({ planId });
    await Promise.all(clients.map((client) => client.close()));
  });
  test.run();
}
