import * as assert from 'uvu/assert';
import { bytes, freshPlanId, refused, text } from './conformance.ts';
import type { KvCase } from './kv-case.ts';

const KEYS = [
  'a',
  'A',
  'with space',
  'tab\tand\nline',
  '.',
  '..',
  'a..b',
  'a.b.',
  '*',
  '>',
  'x:y/z?#%41',
  '{tag}',
  '\u0000',
  'é',
  'e\u0301',
  'ключ',
  '鍵',
  '🔑',
  '-',
  '__proto__',
  'constructor',
  'k'.repeat(512),
  '🔑'.repeat(128),
];

const BAD_KEYS = ['', 'k'.repeat(513), '🔑'.repeat(129), '\ud800', 'a\udc00b'];

export const kvBasicCases: readonly KvCase[] = [
  {
    title: 'a key that was never put is absent',
    async run({ client }, planId) {
      assert.is(await client.get({ planId, key: 'nothing' }), undefined);
    },
  },
  {
    title: 'what was put is read back, byte for byte',
    async run({ client }, planId) {
      const values = [new Uint8Array(), bytes('text'), Uint8Array.from({ length: 256 }, (_, index) => index)];
      for (const value of values) {
        await client.put({ planId, key: 'k', value });
        const read = await client.get({ planId, key: 'k' });
        assert.equal([...(read ?? [-1])], [...value]);
      }
    },
  },
  {
    title: 'the value is a copy: changing the bytes afterwards changes nothing',
    async run({ client }, planId) {
      const value = bytes('before');
      const put = client.put({ planId, key: 'k', value });
      await put;
      value.fill(0);
      const read = await client.get({ planId, key: 'k' });
      assert.is(text(read), 'before');
      read?.fill(0);
      assert.is(text(await client.get({ planId, key: 'k' })), 'before');
    },
  },
  {
    title: 'any Unicode key up to 512 bytes works, and different texts are different keys',
    async run({ client }, planId) {
      for (const [index, key] of KEYS.entries()) await client.put({ planId, key, value: bytes(`${index}`) });
      for (const [index, key] of KEYS.entries()) {
        assert.is(text(await client.get({ planId, key })), `${index}`, JSON.stringify(key));
      }
    },
  },
  {
    title: 'what is no key, value or plan id is refused with its place',
    async run({ client }, planId) {
      for (const key of BAD_KEYS) {
        const error = await refused(client.get({ planId, key }), 'ERR_SCHEMA', JSON.stringify(key));
        assert.is(error.place.pointer, '/key');
        await refused(client.put({ planId, key, value: bytes('v') }), 'ERR_SCHEMA');
        await refused(client.delete({ planId, key }), 'ERR_SCHEMA');
        await refused(client.incr({ planId, key }), 'ERR_SCHEMA');
      }
      const value = 'text' as unknown as Uint8Array;
      await refused(client.put({ planId, key: 'k', value }), 'ERR_SCHEMA');
      for (const bad of ['', 'A', 'a.b', '*', '../x']) {
        await refused(client.get({ planId: bad, key: 'k' }), 'ERR_PLAN_ID', bad);
        await refused(client.purgePlan({ planId: bad }), 'ERR_PLAN_ID', bad);
      }
    },
  },
  {
    title: 'a value of the largest size is kept, one byte more is refused',
    async run({ client }, planId, { maxValueBytes }) {
      const value = new Uint8Array(maxValueBytes).fill(7);
      await client.put({ planId, key: 'k', value });
      assert.is(Buffer.compare((await client.get({ planId, key: 'k' })) ?? new Uint8Array(), value), 0);
      await refused(client.put({ planId, key: 'k', value: new Uint8Array(maxValueBytes + 1) }), 'ERR_TOO_LARGE');
    },
  },
  {
    title: 'the last put wins, also over another client',
    async run({ client, open }, planId) {
      const other = await open();
      await client.put({ planId, key: 'k', value: bytes('1') });
      await other.put({ planId, key: 'k', value: bytes('2') });
      assert.is(text(await other.get({ planId, key: 'k' })), '2');
      assert.is(text(await client.get({ planId, key: 'k' })), '2');
    },
  },
  {
    title: 'a client reads its own writes at once, a hundred times',
    async run({ client }, planId) {
      for (let index = 0; index < 100; index++) {
        await client.put({ planId, key: 'k', value: bytes(`${index}`) });
        assert.is(text(await client.get({ planId, key: 'k' })), `${index}`);
      }
    },
  },
  {
    title: 'a deleted key is absent; deleting what is not there is fine; it can be put again',
    async run({ client }, planId) {
      await client.put({ planId, key: 'k', value: bytes('1') });
      await client.delete({ planId, key: 'k' });
      assert.is(await client.get({ planId, key: 'k' }), undefined);
      await client.delete({ planId, key: 'k' });
      await client.put({ planId, key: 'k', value: bytes('2') });
      assert.is(text(await client.get({ planId, key: 'k' })), '2');
    },
  },
  {
    title: 'plans never see each other’s keys',
    async run({ client }, planId) {
      const other = freshPlanId();
      await client.put({ planId, key: 'k', value: bytes('mine') });
      assert.is(await client.get({ planId: other, key: 'k' }), undefined);
      await client.put({ planId: other, key: 'k', value: bytes('yours') });
      assert.is(await client.incr({ planId: other, key: 'n' }), 1);
      assert.is(await client.get({ planId, key: 'n' }), undefined);
      await client.delete({ planId: other, key: 'k' });
      assert.is(text(await client.get({ planId, key: 'k' })), 'mine');
    },
  },
  {
    title: 'purging a plan removes all its keys and nobody else’s',
    async run({ client }, planId) {
      // One is the beginning of the other.
      const other = `${planId}-x`;
      for (const key of KEYS) await client.put({ planId, key, value: bytes('v') });
      await client.incr({ planId, key: 'counter' });
      await client.put({ planId: other, key: 'a', value: bytes('stays') });
      await client.purgePlan({ planId });
      for (const key of [...KEYS, 'counter']) assert.is(await client.get({ planId, key }), undefined, key);
      assert.is(text(await client.get({ planId: other, key: 'a' })), 'stays');
      assert.is(await client.incr({ planId, key: 'counter' }), 1);
      await client.purgePlan({ planId });
      await client.purgePlan({ planId });
    },
  },
  {
    title: 'a hundred keys at once',
    async run({ client }, planId) {
      const keys = Array.from({ length: 100 }, (_, index) => `k${index}`);
      await Promise.all(keys.map((key) => client.put({ planId, key, value: bytes(key) })));
      const read = await Promise.all(keys.map((key) => client.get({ planId, key })));
      assert.equal(read.map(text), keys);
    },
  },
  {
    title: 'what was acknowledged is there after a restart of the backend',
    alone: true,
    needs: { offered: ({ durable }) => durable },
    async run({ client, open, restart }, planId) {
      await client.put({ planId, key: 'k', value: bytes('kept') });
      await client.incr({ planId, key: 'n', by: 5 });
      await restart?.();
      const later = await open();
      assert.is(text(await later.get({ planId, key: 'k' })), 'kept');
      assert.is(await later.incr({ planId, key: 'n' }), 6);
    },
  },
  {
    title: 'a closed client refuses; another one goes on',
    async run({ client, open }, planId) {
      const other = await open();
      await other.put({ planId, key: 'k', value: bytes('v') });
      await other.close();
      await other.close();
      await refused(other.get({ planId, key: 'k' }), 'ERR_UNAVAILABLE');
      assert.is(text(await client.get({ planId, key: 'k' })), 'v');
    },
  },
];
