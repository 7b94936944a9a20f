import * as assert from 'uvu/assert';
import { FairPlaces } from '../../shared/judge/fair-places.ts';
import { suite } from '../harness/suite.ts';

const test = suite('places of costly questions');

/** How many places each asker gets who asks for ten, one after another in turns. */
function asked(places: FairPlaces, askers: readonly string[]): number[] {
  const got = askers.map(() => 0);
  for (let turn = 0; turn < 10; turn++) {
    for (const [index, asker] of askers.entries()) {
      if (places.take(asker) === undefined) got[index] = (got[index] ?? 0) + 1;
    }
  }
  return got;
}

const named = (count: number): string[] => Array.from({ length: count }, (_, index) => `p${index}`);

test('one has no more than its own most, and all together no more than there are, however many ask', () => {
  const of = (count: number) => asked(new FairPlaces({ mostOfOne: 6, mostOfAll: 12 }), named(count));
  assert.equal(of(1), [6]);
  assert.equal(of(2), [6, 6]);
  assert.equal(of(4), [3, 3, 3, 3]);
  const many = of(40);
  assert.is(
    many.reduce((sum, one) => sum + one, 0),
    12,
  );
  assert.is(Math.max(...many), 1);
});

test('who came too late gets what the others give back before they get more', () => {
  const places = new FairPlaces({ mostOfOne: 6, mostOfAll: 12 });
  assert.equal(asked(places, ['a', 'b']), [6, 6]);
  assert.is(places.take('late'), '12 costly questions are being judged');
  places.giveBack('a');
  assert.is(places.take('a'), '5 costly questions of a are being judged');
  assert.is(places.take('late'), undefined);
});

test.run();
