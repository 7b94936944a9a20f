import * as assert from 'uvu/assert';
import { bytes, refused, text } from './conformance.ts';
import type { KvCase } from './kv-case.ts';

const NO_INTEGERS = ['', ' ', '1.5', '1e3', 'x', ' 5', '5 ', '+5', '05', '-0', '0x10', '-', 'NaN', 'ä', '1\u0000'];

export const kvCounterCases: readonly KvCase[] = [
  {
    title: 'incr creates from 0, adds what it is told and answers the new value',
    async run({ client }, planId) {
      assert.is(await client.incr({ planId, key: 'n' }), 1);
      assert.is(await client.incr({ planId, key: 'n', by: 41 }), 42);
      assert.is(await client.incr({ planId, key: 'n', by: -50 }), -8);
      assert.is(await client.incr({ planId, key: 'n', by: 0 }), -8);
    },
  },
  {
    title: 'a counter reads as decimal text, and decimal text counts',
    async run({ client }, planId) {
      await client.incr({ planId, key: 'n', by: 1_234_567_890_123 });
      assert.is(text(await client.get({ planId, key: 'n' })), '1234567890123');
      await client.put({ planId, key: 'n', value: bytes('-7') });
      assert.is(await client.incr({ planId, key: 'n' }), -6);
      await client.delete({ planId, key: 'n' });
      assert.is(await client.incr({ planId, key: 'n' }), 1);
    },
  },
  {
    title: 'a value that is no decimal integer is refused and stays as it was',
    async run({ client }, planId) {
      for (const value of NO_INTEGERS) {
        await client.put({ planId, key: 'n', value: bytes(value) });
        await refused(client.incr({ planId, key: 'n' }), 'ERR_SCHEMA', JSON.stringify(value));
        assert.is(text(await client.get({ planId, key: 'n' })), value);
      }
    },
  },
  {
    title: 'incr is exact to ±(2^53 − 1) and refuses to leave it, keeping the value',
    async run({ client }, planId) {
      const most = Number.MAX_SAFE_INTEGER;
      assert.is(await client.incr({ planId, key: 'n', by: most - 1 }), most - 1);
      assert.is(await client.incr({ planId, key: 'n' }), most);
      await refused(client.incr({ planId, key: 'n' }), 'ERR_RANGE');
      await refused(client.incr({ planId, key: 'n', by: most }), 'ERR_RANGE');
      assert.is(text(await client.get({ planId, key: 'n' })), String(most));
      assert.is(await client.incr({ planId, key: 'n', by: -most }), 0);
      assert.is(await client.incr({ planId, key: 'n', by: -most }), -most);
      await refused(client.incr({ planId, key: 'n', by: -1 }), 'ERR_RANGE');
      for (const value of ['9007199254740992', '9223372036854775807', '99999999999999999999']) {
        await client.put({ planId, key: 'n', value: bytes(value) });
        await refused(client.incr({ planId, key: 'n', by: -5 }), 'ERR_RANGE', value);
        assert.is(text(await client.get({ planId, key: 'n' })), value);
      }
    },
  },
  {
    title: 'incr takes integers only',
    async run({ client }, planId) {
      for (const by of [0.5, Number.NaN, Infinity, 2 ** 53]) {
        await refused(client.incr({ planId, key: 'n', by }), 'ERR_SCHEMA', String(by));
      }
      assert.is(await client.get({ planId, key: 'n' }), undefined);
    },
  },
  {
    title: 'incr loses nothing and answers no value twice under contention',
    async run({ client, open }, planId) {
      const clients = [client, await open(), await open(), await open()];
      const answers = await Promise.all(
        clients.flatMap((one) => Array.from({ length: 25 }, () => one.incr({ planId, key: 'n' }))),
      );
      assert.equal(
        answers.sort((a, b) => a - b),
        Array.from({ length: 100 }, (_, index) => index + 1),
      );
      assert.is(text(await client.get({ planId, key: 'n' })), '100');
    },
  },
];
