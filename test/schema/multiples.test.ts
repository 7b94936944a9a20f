import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { compileSchema } from '../../shared/schema/user-schema.ts';
import { suite } from '../harness/suite.ts';
import { naivelyFits } from './naive.ts';

const test = suite('multipleOf');

function fits(schema: Record<string, unknown>, value: unknown): boolean {
  const compiled = compileSchema(schema, 'ERR_PREDICATE', '');
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.faults));
  return compiled.faults(value, 'ERR_PREDICATE', '').length === 0;
}

const WRITTEN: readonly (readonly [value: number, divisor: number, isMultiple: boolean])[] = [
  [1e23, 10, true],
  [1e300, 3, false],
  [1e300, 1e22, true],
  [1e300, 0.3, false],
  [1.7976931348623157e308, 10, true],
  [123456789012345.67, 1e-300, true],
  [1e-300, 1e-300, true],
  [1e-300, 1, false],
  [5e-324, 5e-324, true],
  [19.99, 0.01, true],
  [4.35, 0.01, true],
  [0.1 + 0.2, 0.1, false],
  [14352.400000000001, 0.4, false],
  [-0.3, 0.1, true],
  [9_007_199_254_740_992, 2 ** 53, true],
  [0, 0.7, true],
];

test('it is of the decimals that are written, however large or small they are', () => {
  for (const [value, divisor, isMultiple] of WRITTEN) {
    assert.is(fits({ multipleOf: divisor }, value), isMultiple, `${value} of ${divisor}`);
    assert.is(fits({ not: { multipleOf: divisor } }, value), !isMultiple, `not: ${value} of ${divisor}`);
  }
});

test('what is misjudged here and there in a document is right in each place, also beside what else is asked', () => {
  const amount = { type: 'number', multipleOf: 0.01, allOf: [{ maximum: 100 }] };
  const schema = { type: 'array', items: { $ref: '#/$defs/amount' }, $defs: { amount } };
  assert.is(fits(schema, [0.01, 4.35, 19.99]), true);
  assert.is(fits(schema, [0.01, 4.35, 1.1 * 3]), false);
  assert.is(fits(schema, [0.01, 101]), false);
  assert.is(fits({ oneOf: [{ multipleOf: 10 }, { multipleOf: 7 }] }, 1e23), true);
  assert.is(fits({ properties: { a: { multipleOf: 10 } }, unevaluatedProperties: false }, { a: 1e23 }), true);
});

test('a number that is no multiple is told with its divisor', () => {
  const compiled = compileSchema({ multipleOf: 0.4 }, 'ERR_PREDICATE', '');
  assert.ok(compiled.ok);
  const [told] = compiled.faults(14352.400000000001, 'ERR_PREDICATE', '/x');
  assert.equal(told, {
    code: 'ERR_PREDICATE',
    message: '14352.400000000001 is no multiple of 0.4',
    pointer: '/x',
    expected: 'multipleOf 0.4',
  });
});

const decimals = fc
  .tuple(fc.integer({ min: -99_999, max: 99_999 }), fc.integer({ min: -40, max: 40 }))
  .map(([digits, power]) => Number(`${digits}e${power}`));

test('any two numbers are judged as exact arithmetic does', () => {
  const numbers = fc.oneof(decimals, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.maxSafeInteger());
  fc.assert(
    fc.property(numbers, fc.oneof(decimals, numbers), fc.nat({ max: 9_999 }), (value, other, times) => {
      const divisor = Math.abs(other);
      if (divisor === 0) return;
      for (const one of [value, other * times]) {
        if (!Number.isFinite(one)) continue;
        assert.is(
          fits({ multipleOf: divisor }, one),
          naivelyFits({ multipleOf: divisor }, one),
          `${one} of ${divisor}`,
        );
      }
    }),
    { numRuns: 300 },
  );
});

test.run();
