/**
 * A gateway on the KV of a URL, configured as a user configures it, and a client of processors at it. Run in a copy of
 * the project by `adding-a-backend.test.ts`: what the backend answers comes as one line of JSON.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { ScratchClient } from '../../processors/sdk/scratch.ts';
import { readConfig } from '../../services/common/config/config.ts';
import { startService } from '../../services/compose.ts';
import { SCRATCH_PATH, signToken } from '../../shared/scratch/token.ts';
import { PAGES } from '../../tools/docs.ts';
import { NatsForTests } from './nats-server.ts';

const [, , kvUrl = ''] = process.argv;
const folder = await mkdtemp(join(tmpdir(), 'isomorph-gateway-'));
const nats = new NatsForTests();
await nats.start();
try {
  const keyFile = join(folder, 'gateway.key');
  const secret = randomBytes(32);
  await writeFile(keyFile, secret);
  const env = { NATS_URL: nats.url, ARTIFACTS_GATEWAY_KEY_FILE: keyFile, KV_URL: kvUrl };
  const config = readConfig(env, ['gateway']);
  const gateway = await startService('gateway', { config, env, log: pino({ enabled: false }), instance: 'test' });
  const expires_s = Math.floor(Date.now() / 1_000) + 600;
  const token = signToken({ plan_id: 'p', execution_id: 'p.s.1', scratch: ['kv'], expires_s }, secret);
  const scratch = { url: `${gateway.url}${SCRATCH_PATH}`, token };
  const { kv } = new ScratchClient(scratch, new AbortController().signal);
  await kv.put('greeting', 'hello');
  const greeting = new TextDecoder().decode(await kv.get('greeting'));
  const sum = await kv.incr('count', { by: 2 });
  const refused = await kv.put('greeting', 'hello', { ttlS: 1 }).then(
    () => 'nothing',
    (error: { code?: string }) => error.code,
  );
  await gateway.stop();
  const named = ['docs/configuration.md', 'docs/scratch.md'].filter((page) => PAGES[page]?.().includes(`${kvUrl}`));
  process.stdout.write(`${JSON.stringify({ greeting, sum, refused, named })}\n`);
} finally {
  await nats.stop();
  await rm(folder, { recursive: true, force: true });
}
