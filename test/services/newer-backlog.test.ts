import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { delay } from '../../shared/async/delay.ts';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { Journal } from '../../shared/journal/journal.ts';
import { EMPTY_HEAD, headOf } from '../../shared/ledger/chain.ts';
import { hashEvent, type RawEvent } from '../../shared/ledger/envelope.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import { publish } from '../../shared/nats/publish.ts';
import { CONSUMERS } from '../../shared/wire/consumers.ts';
import type { StackInfo } from '../../stack/embedded.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { whenEnded } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

/** At b3fba65 all of them came again every few seconds, `dev` was busy with nothing else, and took minutes to hear SIGTERM. */
const test = suite('a plan with thousands of newer events', undefined, { timeoutMs: 240_000 });

const NEWER = 3_000;
const HARMLESS = 20;

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const FOLLOWERS = [CONSUMERS.dispatcher, CONSUMERS.settler];

let home: string;
let dev: ChildProcess;
let core: NatsConnection;
let client: NatsConnection;

test.before(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'isomorph-newer-'));
  dev = spawn(process.execPath, [path.join(PROJECT, 'bin', 'isomorph.mjs'), 'dev', '--json'], {
    cwd: PROJECT,
    env: {
      ...process.env,
      ISOMORPH_HOME: home,
      ISOMORPH_REGISTRY: path.join(PROJECT, 'test/fixtures/registry'),
      ISOMORPH_PROCESSORS: path.join(PROJECT, 'test/fixtures/processors'),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (dev.stdout === null) throw new Error('no output');
  for await (const line of createInterface({ input: dev.stdout })) if (JSON.parse(line).type === 'ready') break;
  const { nats } = JSON.parse(await readFile(path.join(home, 'stack.json'), 'utf8')) as StackInfo;
  client = await connectNats({ url: nats.url, name: 'test-client' });
  core = await connectNats({ url: nats.serviceUrl, name: 'test-core' });
});
test.after(async () => {
  await Promise.all([client.close(), core.close()]);
  if (dev.exitCode === null && dev.signalCode === null) {
    dev.kill('SIGKILL');
    await once(dev, 'close');
  }
  await rm(home, { recursive: true, force: true });
});

/** Events of a kind that this version does not know, one behind the other. @returns their places in the stream */
async function putNewer(planId: string, count: number): Promise<ReadonlySet<number>> {
  let head = EMPTY_HEAD;
  const stored: Promise<{ readonly seq: number }>[] = [];
  for (let number = 0; number < count; number += 1) {
    const open = {
      by: 'dispatcher',
      data: { number },
      kind: 'plan.paused',
      plan_id: planId,
      prev_hash: head.hash,
      seq: head.seq + 1,
      ts: '2026-11-28T00:00:00.000Z',
      v: 1,
    };
    const raw: RawEvent = { ...open, this_hash: hashEvent(open) };
    head = headOf(raw);
    stored.push(publish(core, `ledger.${planId}.${raw.kind}`, canonicalText(raw)));
    if (stored.length % 200 === 0) await stored.at(-1);
  }
  return new Set((await Promise.all(stored)).map(({ seq }) => seq));
}

/** How often the services that follow the ledger have handed back messages at these places, by consumer. */
function countHandBacks(places: ReadonlySet<number>): ReadonlyMap<string, number> {
  const counts = new Map(FOLLOWERS.map(({ durable }) => [durable, 0]));
  core.subscribe('$JS.ACK.LEDGER.>', {
    callback: (_, { subject, data }) => {
      const [, , , durable = '', , seq] = subject.split('.');
      if (!places.has(Number(seq)) || !Buffer.from(data).toString().startsWith('-NAK')) return;
      counts.set(durable, (counts.get(durable) ?? 0) + 1);
    },
  });
  return counts;
}

async function pendingOf(durable: string): Promise<number> {
  const jsm = await jetstreamManager(core, { checkAPI: false });
  return (await jsm.consumers.info('LEDGER', durable)).num_ack_pending;
}

test('costs a bounded number of deliveries, and other plans settle meanwhile', async () => {
  const places = await putNewer('newer', NEWER);
  const handBacks = countHandBacks(places);
  await core.flush();
  // Both hold all of them: more than a consumer holds by default.
  for (const { durable } of FOLLOWERS) while ((await pendingOf(durable)) < NEWER) await delay(100);
  const read = (planId: string) => new Journal({ connection: core, by: undefined }).read(planId);
  for (let number = 0; number < HARMLESS; number += 1) {
    const planId = `harmless-${number}`;
    await client.request('plans.submit', JSON.stringify(probePlan(planId)), { timeout: 60_000 });
    assert.is((await whenEnded(client, planId, () => read(planId))).settled?.status, 'succeeded');
  }
  for (const [durable, count] of handBacks) {
    // Twice each, and then a hundred in ten seconds: one more each would take five minutes.
    assert.ok(count > 0 && count <= 3 * NEWER, `${durable} has handed them back ${count} times`);
  }
  for (const { durable } of FOLLOWERS) assert.ok((await pendingOf(durable)) >= NEWER, 'none of them is given up');
});

test('and SIGTERM ends the stack with all of them waiting, leaving nothing unfinished', async () => {
  const closed = once(dev, 'close');
  dev.kill('SIGTERM');
  assert.equal(await closed, [0, null]);
  const log = await readFile(path.join(home, 'logs', 'services.log'), 'utf8');
  assert.not.match(log, /left for the next start/);
  for (const name of ['admission', 'dispatcher', 'settler', 'sampler', 'projector', 'gateway']) {
    assert.match(log, new RegExp(`"service":"${name}","msg":"stopped"`));
  }
});

test.run();
