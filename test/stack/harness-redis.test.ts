import * as assert from 'uvu/assert';
import { isAlive } from '../../stack/process.ts';
import { available, startRedis } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';

const test = suite('harness starts Redis');
const found = await available('redis-server');
test.skipUnless(found.ok, found.ok ? '' : found.reason);

test('it serves on loopback and ends when told to', async () => {
  const server = await startRedis();
  assert.match(server.url, /^redis:\/\/127\.0\.0\.1:\d+$/);
  assert.ok(await isAlive(server.pid));
  await server.stop();
  assert.not(await isAlive(server.pid));
});

test.run();
