import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { delay } from '../../shared/async/delay.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import { isAlive } from '../../stack/process.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { scaledMs } from '../harness/slowness.ts';
import { heard } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { withTempDir } from './fixture.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));
const ISOMORPH = fileURLToPath(new URL('../../bin/isomorph.mjs', import.meta.url));

const test = suite('dev is killed');
test.skipUnless(process.platform === 'linux', 'only Linux tells whose a process is');

/** Every living process whose environment holds one of the texts. */
async function processesWith(texts: readonly string[]): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = pids.map(async (pid) => {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    return texts.some((text) => environment.includes(text)) && (await isAlive(Number(pid))) ? [Number(pid)] : [];
  });
  return (await Promise.all(found)).flat().filter((pid) => pid !== process.pid);
}

test('nothing that it started lives longer than ten seconds: no server, no run, no keeper', () =>
  withTempDir(async (home) => {
    const mark = randomUUID();
    const env = {
      ...process.env,
      ISOMORPH_HOME: home,
      ISOMORPH_REGISTRY: path.join(FIXTURES, 'registry'),
      ISOMORPH_PROCESSORS: path.join(FIXTURES, 'processors'),
      KEEPER_TEST: mark,
    };
    const dev = spawn(process.execPath, [ISOMORPH, 'dev', '--json'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: dev.stdout });
    const ready = new Promise<string>((resolve) => {
      lines.on('line', (line) => {
        const document = JSON.parse(line) as { type: string; nats_url: string };
        if (document.type === 'ready') resolve(document.nats_url);
      });
    });
    const client = await connectNats({ url: await ready, name: 'test' });
    const plan = probePlan('long', { params: { work_ms: 600_000 } });
    const submit = () => client.request('plans.submit', JSON.stringify(plan), { timeout: scaledMs(10_000) });
    await heard(client, 'ledger.long.execution.started', submit);
    const ours = [`KEEPER_TEST=${mark}`, `HOME=${home}/`];
    while ((await processesWith([`HOME=${home}/`])).length === 0) await delay(20);
    assert.ok((await processesWith(ours)).length >= 5, 'dev, nats-server, PGlite, the run and its keeper');
    await client.close();

    dev.kill('SIGKILL');
    const killedMs = performance.now();
    await once(dev, 'exit');
    while ((await processesWith(ours)).length > 0) {
      const tookMs = performance.now() - killedMs;
      assert.ok(tookMs < scaledMs(10_000), `after ${tookMs} ms there are ${await processesWith(ours)}`);
      await delay(50);
    }
  }));

test.run();
