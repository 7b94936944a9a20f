/** Time limits of many operations at once: each keeps its own. */
import * as assert from 'uvu/assert';
import { Deadlines, LATE } from '../../shared/scratch/deadlines.ts';
import { suite } from '../harness/suite.ts';

const test = suite('deadlines');

/** For work that is never to be late here. */
const LONG_MS = 3_600_000;
const never = (): Promise<string> => new Promise(() => undefined);
const told = async (error: unknown): Promise<string> => (error === LATE ? 'late' : `failed: ${error}`);

test('of many calls that end in any order each has its own outcome', async () => {
  const deadlines = new Deadlines();
  const ends: ((value: string) => void)[] = [];
  const outcomes = Array.from({ length: 100 }, (_, index) => {
    if (index % 3 === 0) return deadlines.within(never, 1, told);
    if (index % 3 === 1) return deadlines.within(() => Promise.reject(index), LONG_MS, told);
    return deadlines.within(() => new Promise<string>((resolve) => ends.push(resolve)), LONG_MS, told);
  });
  ends.reverse().forEach((end, index) => {
    end(`done ${index}`);
  });
  const count = ends.length;
  const expected = outcomes.map((_, index) => {
    if (index % 3 === 0) return 'late';
    return index % 3 === 1 ? `failed: ${index}` : `done ${count - 1 - Math.floor(index / 3)}`;
  });
  assert.equal(await Promise.all(outcomes), expected);
  deadlines.close();
});

test('an answer that comes after the time is nobody’s any more', async () => {
  const deadlines = new Deadlines();
  let end: (value: string) => void = () => undefined;
  const work = new Promise<string>((resolve) => {
    end = resolve;
  });
  assert.is(await deadlines.within(() => work, 1, told), 'late');
  const other = deadlines.within(() => work, LONG_MS, told);
  end('too late');
  assert.is(await other, 'too late');
  deadlines.close();
});

test.run();
