/** A KV is a map: any list of commands gives the same answers on both. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { KvCapabilities } from '../../shared/scratch/capabilities.ts';
import { addToDecimal } from '../../shared/scratch/kv/integer.ts';
import type { Kv } from '../../shared/scratch/kv/kv.ts';
import { bytes, type UnderTest } from './conformance.ts';
import { type Command, command, type ModelTest } from './model.ts';

type Model = Map<string, Uint8Array>;
type KvCommand = Command<Model, Kv>;

const KEYS = ['a', 'A', 'a..b', 'ключ', '🔑', '*', ' '];
/** Long enough to be no matter of time. */
const TTL_S = 3_600;

const key = fc.constantFrom(...KEYS);
const value = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.maxSafeInteger().map((number) => bytes(String(number))),
);
const by = fc.oneof(fc.integer({ min: -10, max: 10 }), fc.maxSafeInteger());

const plain = (data: Uint8Array | undefined): number[] | undefined => (data === undefined ? undefined : [...data]);

/** What `incr` answers: the sum, or the code that it refuses with. */
async function outcome(incr: () => Promise<number> | number): Promise<number | string> {
  try {
    return await incr();
  } catch (error) {
    if (error instanceof IsomorphError) return error.code;
    throw error;
  }
}

const commands = ({ ttl }: KvCapabilities): fc.Arbitrary<KvCommand>[] => {
  const lasting = ttl === 'none' ? fc.constant({}) : fc.constantFrom({}, { ttlS: TTL_S });
  return [
    fc.tuple(key, value, lasting).map(([at, data, more]) =>
      command<Model, Kv>(`put(${at}, [${data}])`, async (model, { client, planId }) => {
        await client.put({ planId, key: at, value: data, ...more });
        model.set(at, data);
      }),
    ),
    key.map((at) =>
      command<Model, Kv>(`get(${at})`, async (model, { client, planId }) => {
        assert.equal(plain(await client.get({ planId, key: at })), plain(model.get(at)));
      }),
    ),
    key.map((at) =>
      command<Model, Kv>(`delete(${at})`, async (model, { client, planId }) => {
        await client.delete({ planId, key: at });
        model.delete(at);
      }),
    ),
    fc.tuple(key, by, lasting).map(([at, change, more]) =>
      command<Model, Kv>(`incr(${at}, ${change})`, async (model, { client, planId }) => {
        const expected = await outcome(() => addToDecimal(model.get(at), change));
        assert.is(await outcome(() => client.incr({ planId, key: at, by: change, ...more })), expected);
        if (typeof expected === 'number') model.set(at, bytes(String(expected)));
      }),
    ),
    fc.constant(
      command<Model, Kv>('purgePlan', async (model, { client, planId }) => {
        await client.purgePlan({ planId });
        model.clear();
      }),
    ),
  ];
};

export const kvModel = (make: () => Promise<UnderTest<Kv>>, capabilities: KvCapabilities): ModelTest<Model, Kv> => ({
  make,
  commands: commands(capabilities),
  newModel: () => new Map(),
  async atEnd(model, { client, planId }) {
    for (const at of KEYS) assert.equal(plain(await client.get({ planId, key: at })), plain(model.get(at)), at);
  },
});
