import * as assert from 'uvu/assert';
import { readConfig } from '../../services/common/config/config.ts';
import { DEFAULT_LIMITS, LIMITS } from '../../services/common/config/limits.ts';
import { bytesOfStream, fitted, HEADROOM_BYTES, type StreamUse, usesOf } from '../../services/common/stream-limits.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { formatAmount, parseAmount } from '../../shared/text/amount.ts';
import { KV_STREAM } from '../../shared/wire/scratch-kv.ts';
import { STREAMS } from '../../shared/wire/streams.ts';
import { suite } from '../harness/suite.ts';

const test = suite('limits of streams');

const MIB = 1024 ** 2;
const limitsOf = (uses: readonly StreamUse[]) => Object.fromEntries(uses.map((use) => [use.stream, use.limitBytes]));
const empty = usesOf(
  STREAMS.map(({ name }) => ({ name, bytes: 0 })),
  DEFAULT_LIMITS,
);
const total = (uses: readonly StreamUse[]) => uses.reduce((sum, use) => sum + use.limitBytes, 0);

test('with 1 GiB free every stream has the limit of the configuration, and a quarter is left for the rest of a stack', () => {
  assert.equal(fitted(empty, 1024 * MIB), empty);
  assert.ok(total(empty) <= 0.75 * 1024 * MIB, formatAmount(total(empty)));
  assert.is(bytesOfStream('LEDGER', DEFAULT_LIMITS), LIMITS.ledgerBytes.fallback);
});

test('no plan alone can fill what all plans share: neither KV nor the stream that its topic is in', () => {
  const { kvBytesOfPlan, queueBytesOfPlan } = DEFAULT_LIMITS;
  assert.ok(kvBytesOfPlan * 2 <= bytesOfStream(KV_STREAM, DEFAULT_LIMITS));
  for (const { name } of STREAMS.filter((one) => one.name.startsWith('SCRATCH_QUEUE_'))) {
    assert.ok(queueBytesOfPlan * 2 <= bytesOfStream(name, DEFAULT_LIMITS), name);
  }
});

test('on a smaller disk each gets less, and all of them fit', () => {
  const freeBytes = 200 * MIB;
  const fit = fitted(empty, freeBytes);
  assert.ok(total(fit) <= freeBytes - HEADROOM_BYTES);
  assert.ok(total(fit) > freeBytes - HEADROOM_BYTES - 100, 'and nothing is wasted');
  for (const [at, { limitBytes }] of fit.entries()) assert.ok(limitBytes < (empty[at]?.limitBytes ?? 0));
});

test('what a stream holds is on the disk already: no limit falls below it', () => {
  const uses = usesOf(
    [
      { name: 'LEDGER', bytes: 200 * MIB },
      { name: 'COMMANDS', bytes: 0 },
    ],
    DEFAULT_LIMITS,
  );
  const fit = limitsOf(fitted(uses, HEADROOM_BYTES + 10 * MIB));
  assert.ok((fit.LEDGER ?? 0) >= 200 * MIB && (fit.LEDGER ?? 0) < 256 * MIB);
  assert.ok((fit.COMMANDS ?? 0) >= MIB && (fit.COMMANDS ?? 0) < 64 * MIB);
});

test('a limit that was set below what is there stays: the stream takes nothing new', () => {
  const limits = { ...DEFAULT_LIMITS, ledgerBytes: 8 * MIB };
  const [ledger] = fitted(usesOf([{ name: 'LEDGER', bytes: 20 * MIB }], limits), 1024 * MIB);
  assert.is(ledger?.limitBytes, 8 * MIB);
});

test('with too little for each it is said what is needed, what is free and what holds it', () => {
  const uses = empty.map((use) => (use.stream === 'LEDGER' ? { ...use, bytes: 100 * MIB } : use));
  let thrown: unknown;
  try {
    fitted(uses, 20 * MIB);
  } catch (error) {
    thrown = error;
  }
  assert.instance(thrown, IsomorphError);
  const { code, message } = thrown as IsomorphError;
  assert.is(code, 'ERR_NO_ROOM');
  assert.match(message, 'need 55MiB on their disk, 20MiB are free');
  assert.match(message, 'LEDGER 100MiB of 256MiB');
});

test('amounts are read as they are written', () => {
  for (const [text, bytes] of [
    ['64MiB', 64 * MIB],
    ['1 GiB', 1024 * MIB],
    ['512', 512],
    ['3KiB', 3072],
  ] as const) {
    assert.is(parseAmount(text), bytes);
  }
  for (const text of ['', '64MB', '-1', '1.5GiB', '9999999999TiB', '0x10', '64 mib']) {
    assert.is(parseAmount(text), undefined, text);
  }
  assert.equal([0, 512, 1536, 64 * MIB].map(formatAmount), ['0B', '512B', '1.5KiB', '64MiB']);
});

test('every fault of the limits is in one message, with what was expected', () => {
  const env = { NATS_URL: 'nats://x:1', ISOMORPH_MAX_LEDGER_BYTES: '1KiB', ISOMORPH_MAX_OPEN_PLANS: 'many' };
  let thrown: unknown;
  try {
    readConfig(env, ['setup']);
  } catch (error) {
    thrown = error;
  }
  const { message } = thrown as IsomorphError;
  assert.match(message, 'the environment has 2 faults');
  assert.match(message, 'ISOMORPH_MAX_LEDGER_BYTES is not usable');
  assert.match(message, 'an amount such as 64MiB, from 1MiB to 1TiB');
  assert.match(message, 'an integer from 1 to 1000000');
});

test.run();
