import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { Edit, PersistentMap, PersistentSet } from '../../shared/ledger/persistent.ts';
import { suite } from '../harness/suite.ts';

const test = suite('maps whose versions stay');

interface Value {
  readonly key: string;
  readonly round: number;
}

interface Version {
  readonly map: PersistentMap<string, Value>;
  /** What it must hold. */
  readonly model: ReadonlyMap<string, Value>;
}

const KEYS = 90;

/** On which earlier version, and what is done there as one edit: a key, and whether it is deleted. */
const edits = fc.array(
  fc.record({ from: fc.nat(), changes: fc.array(fc.tuple(fc.nat(KEYS - 1), fc.nat(3)), { maxLength: 60 }) }),
  { minLength: 1, maxLength: 40 },
);

function edited({ map, model }: Version, changes: readonly (readonly [number, number])[], round: number): Version {
  const edit = new Edit();
  const expected = new Map(model);
  let next = map;
  for (const [number, kind] of changes) {
    const key = `key ${number}`;
    if (kind === 0) {
      next = next.delete(key, edit);
      expected.delete(key);
    } else {
      const value = { key, round };
      next = next.set(key, value, edit);
      expected.set(key, value);
    }
  }
  return { map: next, model: expected };
}

const histories = edits.map((all) => {
  const versions: Version[] = [{ map: PersistentMap.of(), model: new Map() }];
  for (const [round, { from, changes }] of all.entries()) {
    const base = versions[from % versions.length] as Version;
    versions.push(edited(base, changes, round));
  }
  return versions;
});

test('every version, of every branch, holds what was put into it and nothing else, in that order', () => {
  fc.assert(
    fc.property(histories, (versions) => {
      for (const { map, model } of versions) {
        assert.equal([...map], [...model]);
        assert.equal([...map.keys()], [...model.keys()]);
        assert.equal([...map.values()], [...model.values()]);
        assert.is(map.size, model.size);
        for (let number = 0; number < KEYS; number++) {
          const key = `key ${number}`;
          assert.is(map.get(key), model.get(key));
          assert.is(map.has(key), model.has(key));
        }
      }
    }),
  );
});

test('what differs between two versions is told, in both directions and across branches', () => {
  fc.assert(
    fc.property(histories, fc.nat(), fc.nat(), (versions, first, second) => {
      const a = versions[first % versions.length] as Version;
      const b = versions[second % versions.length] as Version;
      const told = new Set([...a.map.changesSince(b.map)].flatMap(({ now, before }) => [now?.key, before?.key]));
      for (const key of new Set([...a.model.keys(), ...b.model.keys()])) {
        if (a.model.get(key) !== b.model.get(key)) assert.ok(told.has(key), key);
      }
    }),
  );
});

test('of a version that comes from another one, only what was changed is told', () => {
  const before = PersistentMap.of(Array.from({ length: 5_000 }, (_, n): [string, number] => [`key ${n}`, n]));
  const after = before.set('key 17', -1).set('key 4711', -2).set('new', -3);
  assert.equal(
    [...after.changesSince(before)],
    [
      { now: -1, before: 17 },
      { now: -2, before: 4711 },
      { now: -3, before: undefined },
    ],
  );
  assert.equal([...before.changesSince(before)], []);
});

test('what was given up leaves no trace where the same key is put again elsewhere', () => {
  const base = PersistentMap.of([['a', 1]]);
  const lost = base.set('b', 2).set('c', 3);
  const won = base.set('c', 4).set('b', 5);
  assert.equal([...lost], [...new Map([...base, ['b', 2], ['c', 3]] as [string, number][])]);
  assert.equal([...won], [...new Map([...base, ['c', 4], ['b', 5]] as [string, number][])]);
  assert.equal([lost.get('b'), lost.get('c'), won.get('b'), won.get('c')], [2, 3, 5, 4]);
  assert.equal([base.get('b'), base.has('c'), base.size], [undefined, false, 1]);
});

test('a set of which most was deleted is stepped through in the order of what is left', () => {
  let set = PersistentSet.of(Array.from({ length: 1_000 }, (_, n) => n));
  const whole = set;
  for (let n = 0; n < 1_000; n++) if (n % 100 !== 7) set = set.delete(n);
  assert.equal([...set], [7, 107, 207, 307, 407, 507, 607, 707, 807, 907]);
  assert.equal([set.size, set.has(7), set.has(8), whole.size, whole.has(8)], [10, true, false, 1_000, true]);
  assert.is(set.add(7), set);
  assert.is(set.delete(8), set);
  assert.equal([...set.add(8)].at(-1), 8);
});

test.run();
