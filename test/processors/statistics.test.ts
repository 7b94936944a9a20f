import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  countIntoBins,
  histogram,
  histogramEdges,
  integerEdges,
  round,
  summarise,
} from '../../processors/csv_profile/statistics.ts';
import { inferType, parseDate, parseNumber } from '../../processors/csv_profile/values.ts';
import { suite } from '../harness/suite.ts';

const test = suite('profile statistics');

/** Every number that a column of numbers can hold. */
const tableNumber = fc.double({ noNaN: true }).filter((value) => parseNumber(String(value)) !== undefined);
const numbers = fc.array(tableNumber, { minLength: 1, maxLength: 200 });
const integers = fc.array(fc.maxSafeInteger(), { minLength: 1, maxLength: 50 });
const bins = fc.integer({ min: 1, max: 200 });

const isAscending = (list: readonly number[]): boolean =>
  list.every((value, index) => index === 0 || value > (list[index - 1] ?? value));

test('a histogram counts every value exactly once, in ascending touching bins that cover the data', () => {
  fc.assert(
    fc.property(numbers, bins, (values, wanted) => {
      const result = histogram(values, wanted);
      assert.is(
        result.reduce((sum, { count }) => sum + count, 0),
        values.length,
      );
      assert.ok((result[0]?.from ?? Number.NaN) <= Math.min(...values));
      assert.ok((result.at(-1)?.to ?? Number.NaN) >= Math.max(...values));
      assert.ok(result.every(({ from }, index) => index === 0 || from === result[index - 1]?.to));
      assert.ok(result.length === 1 || isAscending(result.map(({ from }) => from)));
      assert.ok(result.length <= 4 * wanted + 2, `${result.length} bins for ${wanted}`);
    }),
  );
});

test('whole numbers that are few get a bin each', () => {
  assert.equal(integerEdges(0, 3, 20), [-0.5, 0.5, 1.5, 2.5, 3.5]);
  assert.equal(
    histogram([1, 1, 2, 5], 20, true).map(({ count }) => count),
    [2, 1, 0, 0, 1],
  );
  fc.assert(
    fc.property(integers, bins, (values, wanted) => {
      const result = histogram(values, wanted, true);
      assert.is(
        result.reduce((sum, { count }) => sum + count, 0),
        values.length,
      );
    }),
  );
});

test('counting agrees with a search by hand', () => {
  fc.assert(
    fc.property(numbers, bins, (values, wanted) => {
      const edges = histogramEdges(Math.min(...values), Math.max(...values), wanted);
      const byHand = edges.slice(1).map((to, index) => {
        const [from, last] = [edges[index] ?? to, index === edges.length - 2];
        return values.filter((value) => value >= from && (value < to || (last && value === to))).length;
      });
      assert.equal(countIntoBins(values, edges), byHand);
    }),
  );
  assert.equal(countIntoBins([-1, 0, 1, 2, 3], [0, 1, 2]), [1, 2]);
});

test('quartiles are ordered, lie within the data, and do not depend on its order', () => {
  fc.assert(
    fc.property(numbers, (values) => {
      const summary = summarise(values);
      assert.ok(summary);
      const { min, q1, median, q3, max, mean } = summary;
      const ordered = [round(min), q1, median, q3, round(max)];
      assert.ok(
        ordered.every((value, index) => index === 0 || value >= (ordered[index - 1] ?? value)),
        String(ordered),
      );
      assert.ok(mean >= round(min) && mean <= round(max));
      assert.equal(summarise([...values].reverse()), summary);
    }),
  );
});

test('known figures', () => {
  assert.is(summarise([]), undefined);
  assert.equal(summarise([7]), { min: 7, q1: 7, median: 7, q3: 7, max: 7, mean: 7, stddev: null });
  // R: quantile(c(1, 2, 4, 8)) and sd(c(1, 2, 4, 8)).
  assert.equal(summarise([8, 1, 4, 2]), {
    min: 1,
    q1: 1.75,
    median: 3,
    q3: 5,
    max: 8,
    mean: 3.75,
    stddev: 3.095695937,
  });
  assert.is(summarise(new Array<number>(10).fill(0.1))?.mean, 0.1);
});

test('a number is read back from its own text', () => {
  fc.assert(fc.property(tableNumber, (value) => assert.is(parseNumber(String(value)), value + 0)));
  for (const text of ['', '1e400', '1e-400', '0x10', '1_000', '1,5', 'Infinity', 'NaN', '--1', '007', '1e', '.']) {
    assert.is(parseNumber(text), undefined, text);
  }
  assert.is(Object.is(parseNumber('-0'), 0), true);
});

test('dates are ISO 8601 days that exist', () => {
  assert.is(parseDate('2026-11-22'), Date.UTC(2026, 10, 22));
  assert.is(parseDate('2026-11-22 08:00'), Date.UTC(2026, 10, 22, 8));
  assert.is(parseDate('2026-11-22T08:00:00+02:00'), Date.UTC(2026, 10, 22, 6));
  for (const text of ['2026-02-29', '2026-13-01', '22.11.2026', '2026-11-22T25:00', '20261122']) {
    assert.is(parseDate(text), undefined, text);
  }
});

test('a column has the narrowest type that all its cells have', () => {
  const cases = [
    [['1', '-2', '+3'], 'integer'],
    [['1', '2.5', '1e3'], 'number'],
    [['9007199254740993'], 'number'],
    [['1', 'x', '1', 'x'], 'category'],
    [['007', '008'], 'text'],
    [['2026-01-01', '2026-01-02T10:00Z'], 'date'],
    [['yes', 'No', 'TRUE'], 'boolean'],
    [['a', 'b', 'a', 'b'], 'category'],
    [['a', 'b', 'c'], 'text'],
    [[], 'text'],
  ] as const;
  for (const [cells, type] of cases) assert.is(inferType(cells), type, cells.join());
});

test.run();
