/** The gateway as it is configured, and processors at it: what one plan may not, and what the operator is told. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { ScratchClient } from '../../processors/sdk/scratch.ts';
import { readConfig } from '../../services/common/config/config.ts';
import { type RunningService, startService } from '../../services/compose.ts';
import { SCRATCH_PATH, signToken } from '../../shared/scratch/token.ts';
import { suite } from '../harness/suite.ts';
import { NatsForTests } from '../scratch/nats-server.ts';

const test = suite('limits of the gateway, by its configuration');

const secret = randomBytes(32);
const nats = new NatsForTests();
const lines: Record<string, unknown>[] = [];
let folder = '';
let gateway: RunningService;

test.before(async () => {
  await nats.start();
  folder = await mkdtemp(path.join(tmpdir(), 'isomorph-limits-'));
  const keyFile = path.join(folder, 'gateway.key');
  await writeFile(keyFile, secret);
  const env = {
    ...{ NATS_URL: nats.url, ARTIFACTS_GATEWAY_KEY_FILE: keyFile, KV_URL: 'nats:', QUEUE_URL: 'nats:' },
    ISOMORPH_MAX_KV_KEYS_A_PLAN: '5',
    ISOMORPH_MAX_GATEWAY_REQUESTS_IN_FLIGHT_AN_EXECUTION: '2',
  };
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  gateway = await startService('gateway', { config: readConfig(env, ['gateway']), env, log, instance: 'test' });
});
test.after(async () => {
  await gateway.stop();
  await nats.stop();
  await rm(folder, { recursive: true, force: true });
});

function scratchOf(planId: string): ScratchClient {
  const expires_s = Math.floor(Date.now() / 1_000) + 600;
  const grant = {
    plan_id: planId,
    execution_id: `${planId}.s.1`,
    scratch: ['kv' as const, 'queue' as const],
    expires_s,
  };
  const url = `${gateway.url}${SCRATCH_PATH}`;
  return new ScratchClient({ url, token: signToken(grant, secret) }, new AbortController().signal);
}

const told = (of: string): unknown[] =>
  lines.filter((line) => line.of === of).map(({ limit, used, most, msg }) => [limit, used, most, msg]);

test('one key too many is refused with its code, and the operator is told at 80 % and when it is hit', async () => {
  const [greedy, harmless] = [scratchOf('greedy').kv, scratchOf('harmless').kv];
  for (let index = 0; index < 5; index++) await greedy.put(`k${index}`, 'x');
  const codes: (string | undefined)[] = [];
  for (let index = 5; index < 9; index++) {
    await greedy.put(`k${index}`, 'x').catch(({ code }: { code?: string }) => codes.push(code));
  }
  assert.equal(codes, ['ERR_LIMIT', 'ERR_LIMIT', 'ERR_LIMIT', 'ERR_LIMIT']);
  await harmless.put('k', 'x');
  assert.is(String(Buffer.from((await harmless.get('k')) ?? [])), 'x');
  assert.equal(told('greedy'), [
    ['keys', 4, 5, 'a limit is used to 80 %'],
    ['keys', 5, 5, 'a limit is hit'],
  ]);
});

test('a processor with more requests in flight than it may have is slowed down and loses none', async () => {
  const { kv } = scratchOf('busy');
  const sums = await Promise.all(Array.from({ length: 8 }, () => kv.incr('n')));
  assert.equal([...sums].sort(), [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.ok(told('busy.s.1').some((line) => JSON.stringify(line).includes('a limit is hit')));
});

test.run();
