import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { jetstreamManager } from '@nats-io/jetstream';
import * as assert from 'uvu/assert';
import { delay } from '../../shared/async/delay.ts';
import { keyedName } from '../../shared/scratch/names.ts';
import { runCli } from '../cli/run-cli.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { artifactsOf, filesOf, messagesOf, rowsOf, tapWire, type Wiretap } from './places.ts';
import { type Hit, searcherOf } from './search.ts';

/** Words that a processor chooses for scratch: keys, topics, reasons. */
const test = suite('canary names of scratch', undefined, { timeoutMs: 300_000 });

const HERE = fileURLToPath(new URL('.', import.meta.url));
const PLAN_ID = 'canary-names';
const WORDS = { key: 'known key', topic: 'known-topic' };

const canaries = {
  CANARY_NAME: `ключ "${randomBytes(9).toString('base64')}" \n ü€😀`,
  CANARY_TOPIC: `t${randomBytes(12).toString('hex')}`,
};

/** What the processors do, as facts: kind, and the name as it must be told. */
function expectedFacts(told: (name: string) => string): Map<string, number> {
  const kv = (name: string, op: string, count: number) => [`scratch.kv.changed ${name} ${op}`, count] as const;
  return new Map([
    ...Object.values(canaries).flatMap((name) => [
      // The third put of one of them is that of the step that is granted nothing.
      kv(told(name), 'put', name === canaries.CANARY_NAME ? 3 : 2),
      kv(told(name), 'delete', 1),
      kv(told(name), 'incr', 1),
    ]),
    kv(WORDS.key, 'put', 1),
    ...[told(canaries.CANARY_TOPIC), WORDS.topic].flatMap((topic): [string, number][] => [
      [`scratch.queue.published ${topic}`, 1],
      [`scratch.queue.retry ${topic}`, 19],
      [`scratch.queue.deadletter ${topic} nack`, 1],
      [`scratch.queue.retry ${topic}.dead`, 1],
    ]),
  ]);
}

interface Told {
  readonly kind: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Facts that became events, and those that came after the end of their plan. */
async function factsOf({ core }: TestStack): Promise<Map<string, number>> {
  const { streams } = await jetstreamManager(core);
  const facts = new Map<string, number>();
  const count = ({ kind, data: { topic, key, op, reason } }: Told): void => {
    const text = [kind, topic ?? key, op ?? reason].filter((part) => part !== undefined).join(' ');
    if (kind.startsWith('scratch.')) facts.set(text, (facts.get(text) ?? 0) + 1);
  };
  for (const name of ['LEDGER', 'DEAD']) {
    const { state } = await streams.info(name);
    for (let seq = 1; seq <= state.last_seq; seq++) {
      const text = (await streams.getMessage(name, { seq }))?.string() ?? '';
      if (name === 'LEDGER') for (const line of text.split('\n')) count(JSON.parse(line));
      else count(JSON.parse(Buffer.from(JSON.parse(text).body_base64, 'base64').toString()));
    }
  }
  return facts;
}

let its: TestStack;
let wire: Wiretap;
let secret: Uint8Array;
const told = (name: string): string => keyedName(PLAN_ID, name, secret);

test.before(async () => {
  const secrets = Object.entries(canaries).map(([name, value]) => [`ISOMORPH_SECRET_${name}`, value]);
  its = await startTestStack({
    registry: path.join(HERE, 'registry'),
    processors: path.join(HERE, 'processors'),
    env: { ...Object.fromEntries(secrets), SECRETS_URL: 'env:', LOG_LEVEL: 'debug', SCRATCH_RETENTION_S: '0' },
  });
  wire = await tapWire(its);
  secret = await readFile(its.stack.info.artifacts.gatewayKeyFile);
});
test.after(async () => {
  wire.stop();
  await its.stop();
});

test('keys and topics are told as hashes under the key of the plan, but for words of the plan; reasons as codes', async () => {
  await its.submit({
    plan_id: PLAN_ID,
    adapter: 'mock',
    budget: { limit_usd_micro: 10_000_000 },
    steps: [
      { id: 'name', processor: 'test/namer@1', params: WORDS },
      { id: 'follow', processor: 'test/follower@1', params: { key: WORDS.key }, needs: ['name'] },
    ],
  });
  const state = await its.ended(PLAN_ID);
  assert.is(state.settled?.status, 'succeeded', JSON.stringify(state.settled));
  const expected = expectedFacts(told);
  const total = [...expected.values()].reduce((sum, count) => sum + count, 0);
  // Facts are told beside the plan: all of them are heard when their number is right.
  let facts = await factsOf(its);
  while ([...facts.values()].reduce((sum, count) => sum + count, 0) < total) {
    await delay(20);
    facts = await factsOf(its);
  }
  assert.equal([...facts].sort(), [...expected].sort());
});

test('whoever has the key finds the hash of a name that he knows', async () => {
  const { gatewayKeyFile } = its.stack.info.artifacts;
  const result = await runCli([
    'ledger',
    'hash',
    PLAN_ID,
    ...Object.values(canaries),
    '--key',
    gatewayKeyFile,
    '--json',
  ]);
  assert.is(result.code, 0, result.stderr);
  const names = Object.values(canaries).map((name) => ({ name, hash: told(name) }));
  assert.equal(result.documents(), [{ plan_id: PLAN_ID, names }]);
  for (const { hash } of names) assert.ok((await factsOf(its)).has(`scratch.kv.changed ${hash} incr`), hash);
});

/** Scratch itself: what the processor put there, until it is purged. */
const isScratch = (place: string): boolean => /^(file .*\/streams\/|stream )(KV_)?SCRATCH/.test(place);
/** What is not the traffic of scratch with its backend. */
const OURS = /^(alarms|committed|dead|facts|ledger|plans|streams|tenures|work)\./;

test('no value is anywhere: ledger, rows, dead letters, facts, logs, files', async () => {
  const search = searcherOf(canaries);
  const hits: Hit[] = [];
  let left = 0;
  for (const places of [filesOf, messagesOf, rowsOf, artifactsOf]) {
    for await (const source of places(its)) {
      if (isScratch(source.place)) left += search(source).length;
      else hits.push(...search(source));
    }
  }
  const heard = (await wire.sources()).filter(({ bytes }) => OURS.test(bytes.toString('latin1')));
  hits.push(...heard.flatMap(search));
  assert.equal([...new Set(hits.map(({ place, canary, form }) => `${canary} as ${form} in ${place}`))], []);
  assert.ok(left > 0, 'scratch is not where this test thinks it is');
  assert.ok(heard.length > 50, `${heard.length} messages were heard`);
});

test.run();
