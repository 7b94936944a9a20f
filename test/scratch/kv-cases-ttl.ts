import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { KvCapabilities } from '../../shared/scratch/capabilities.ts';
import type { Kv } from '../../shared/scratch/kv/kv.ts';
import { bytes, type Needs, refused, text } from './conformance.ts';
import type { KvCase } from './kv-case.ts';

const hasTtl: Needs<KvCapabilities, Kv> = {
  offered: ({ ttl }) => ttl !== 'none',
  ask: (client, planId) => client.put({ planId, key: 'k', value: bytes('v'), ttlS: 1 }),
};

const LOOK_AGAIN_MS = 50;

/** For keys that must be there yet when the next call comes, however slow the machine is. */
const AMPLE_S = 6;

/** Returns once the key is absent; the test's own timeout bounds it. */
async function absent(kv: Kv, planId: string, key: string): Promise<void> {
  while ((await kv.get({ planId, key })) !== undefined) await sleep(LOOK_AGAIN_MS);
}

export const kvTtlCases: readonly KvCase[] = [
  {
    title: 'a key with a time to live is there before it and absent after it',
    needs: hasTtl,
    async run({ client, open }, planId) {
      const startMs = Date.now();
      await client.put({ planId, key: 'k', value: bytes('v'), ttlS: AMPLE_S });
      assert.is(text(await client.get({ planId, key: 'k' })), 'v');
      await absent(client, planId, 'k');
      assert.ok(Date.now() - startMs >= AMPLE_S * 1_000 - 100, 'it expired early');
      assert.is(await (await open()).get({ planId, key: 'k' }), undefined);
      assert.is(await client.incr({ planId, key: 'k' }), 1, 'an expired key counts from 0');
    },
  },
  {
    title: 'a put without a time to live makes the key stay',
    needs: hasTtl,
    async run({ client }, planId) {
      await client.put({ planId, key: 'stays', value: bytes('1'), ttlS: 1 });
      await client.put({ planId, key: 'stays', value: bytes('2') });
      await client.put({ planId, key: 'clock', value: bytes('1'), ttlS: 2 });
      await absent(client, planId, 'clock');
      assert.is(text(await client.get({ planId, key: 'stays' })), '2');
    },
  },
  {
    title: 'a put sets the time to live anew',
    needs: hasTtl,
    async run({ client }, planId) {
      await client.put({ planId, key: 'k', value: bytes('1'), ttlS: 1 });
      await client.put({ planId, key: 'k', value: bytes('2'), ttlS: 60 });
      await client.put({ planId, key: 'clock', value: bytes('1'), ttlS: 2 });
      await absent(client, planId, 'clock');
      assert.is(text(await client.get({ planId, key: 'k' })), '2');
    },
  },
  {
    title: 'incr keeps the time to live there is',
    needs: hasTtl,
    async run({ client }, planId) {
      await client.put({ planId, key: 'n', value: bytes('5'), ttlS: AMPLE_S });
      assert.is(await client.incr({ planId, key: 'n' }), 6);
      assert.is(await client.incr({ planId, key: 'n' }), 7);
      await absent(client, planId, 'n');
      assert.is(await client.incr({ planId, key: 'n' }), 1);
    },
  },
  {
    title: 'incr sets a time to live when it is given one, and only then',
    needs: hasTtl,
    async run({ client }, planId) {
      assert.is(await client.incr({ planId, key: 'short', ttlS: 1 }), 1);
      assert.is(await client.incr({ planId, key: 'stays' }), 1);
      await client.put({ planId, key: 'longer', value: bytes('1'), ttlS: AMPLE_S });
      assert.is(await client.incr({ planId, key: 'longer', ttlS: 60 }), 2);
      await client.put({ planId, key: 'clock', value: bytes('1'), ttlS: AMPLE_S + 1 });
      await absent(client, planId, 'clock');
      await absent(client, planId, 'short');
      assert.is(text(await client.get({ planId, key: 'stays' })), '1');
      assert.is(text(await client.get({ planId, key: 'longer' })), '2');
    },
  },
  {
    title: 'what is no time to live is refused',
    needs: hasTtl,
    async run({ client }, planId, { ttl }) {
      const bad = [0, -1, Number.NaN, Infinity, ...(ttl === 's' ? [0.5, 1.5] : [])];
      for (const ttlS of bad) {
        const error = await refused(client.put({ planId, key: 'k', value: bytes('v'), ttlS }), 'ERR_SCHEMA', `${ttlS}`);
        assert.is(error.place.pointer, '/ttlS');
        await refused(client.incr({ planId, key: 'k', ttlS }), 'ERR_SCHEMA', `${ttlS}`);
      }
      assert.is(await client.get({ planId, key: 'k' }), undefined);
    },
  },
  {
    title: 'a time to live of milliseconds is kept',
    needs: { offered: ({ ttl }) => ttl === 'ms' },
    async run({ client }, planId) {
      const startMs = Date.now();
      await client.put({ planId, key: 'k', value: bytes('v'), ttlS: 0.25 });
      await absent(client, planId, 'k');
      assert.ok(Date.now() - startMs >= 245, 'it expired early');
    },
  },
];
