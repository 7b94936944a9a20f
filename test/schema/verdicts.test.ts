import * as assert from 'uvu/assert';
import { compileSchema } from '../../shared/schema/user-schema.ts';
import { suite } from '../harness/suite.ts';
import { randomOf } from '../soak/random.ts';
import { naivelyFits, type Schema } from './naive.ts';
import { Maker } from './random-schema.ts';

const test = suite('JSON Schema, verdicts');

/** undefined where the schema is refused. */
function fits(schema: Schema, value: unknown): boolean | undefined {
  const compiled = compileSchema(schema, 'ERR_PREDICATE', '');
  return compiled.ok ? compiled.faults(value, 'ERR_PREDICATE', '').length === 0 : undefined;
}

const SCHEMAS = 2_000;

test('schemas made at random are judged as the specification says, word by word', () => {
  const deviating: string[] = [];
  let [judged, fitting] = [0, 0];
  for (let seed = 0; seed < SCHEMAS; seed++) {
    const maker = new Maker(randomOf(seed));
    const schema = maker.schema();
    const compiled = compileSchema(schema, 'ERR_PREDICATE', '');
    if (!compiled.ok) continue;
    for (const value of maker.values(schema)) {
      let expected: boolean;
      try {
        expected = naivelyFits(schema, value);
      } catch (error) {
        // References that lead to themselves: the judge ends them.
        assert.instance(error, RangeError);
        continue;
      }
      judged += 1;
      if (expected) fitting += 1;
      if ((compiled.faults(value, 'ERR_PREDICATE', '').length === 0) !== expected)
        deviating.push(`seed ${seed}: ${JSON.stringify(schema)} of ${JSON.stringify(value)}: not ${expected}`);
    }
  }
  assert.equal(deviating, []);
  assert.ok(judged > 10_000 && fitting > judged / 4 && fitting < (3 * judged) / 4, `${fitting} of ${judged}`);
});

const EVALUATES = { anyOf: [{ properties: { a: true }, required: ['a'] }, { required: ['z'] }] };
const EVALUATES_THEN_FAILS = { allOf: [EVALUATES, { required: ['q'] }] };

test('what the library would judge wrongly beside other keywords is judged rightly', () => {
  const cases: readonly [schema: Schema, value: unknown, expected: boolean][] = [
    [{ minimum: 10, exclusiveMinimum: 0 }, 3, false],
    [{ minimum: 10, exclusiveMinimum: 0 }, 10, true],
    [{ minimum: 5, exclusiveMinimum: 5 }, 5, false],
    [{ maximum: 10, exclusiveMaximum: 100 }, 50, false],
    [{ maximum: 100, exclusiveMaximum: 10 }, 10, false],
    [{ properties: { v: { minimum: 10, exclusiveMinimum: 0 } } }, { v: 3 }, false],
    [{ type: ['number', 'null'], allOf: [{ type: ['integer', 'null'] }] }, 5, true],
    [{ type: ['integer', 'null'], allOf: [{ type: ['number', 'null'] }] }, 5, true],
    [{ const: { a: 1 }, unevaluatedProperties: false }, { a: 1 }, false],
    [{ const: {}, unevaluatedProperties: false }, {}, true],
    [{ enum: [[1]], unevaluatedItems: false }, [1], false],
    [{ const: [1], unevaluatedItems: { type: 'integer' } }, [1], true],
    [{ allOf: [{ const: { a: 1 } }], properties: { a: true }, unevaluatedProperties: false }, { a: 1 }, true],
    [{ anyOf: [{ const: { a: 1 } }, { required: ['b'] }], unevaluatedProperties: false }, { a: 1 }, false],
    [{ if: { const: { a: 1 } }, unevaluatedProperties: false }, { a: 1 }, false],
    [{ anyOf: [EVALUATES_THEN_FAILS, true], unevaluatedProperties: false }, { a: 1 }, false],
    [{ oneOf: [EVALUATES_THEN_FAILS, true], unevaluatedProperties: false }, { a: 1 }, false],
    [{ if: EVALUATES_THEN_FAILS, unevaluatedProperties: false }, { a: 1 }, false],
    [{ if: EVALUATES, unevaluatedProperties: false }, { a: 1 }, true],
    [{ anyOf: [{ contains: { const: 1 }, minContains: 2 }, true], unevaluatedItems: false }, [1], false],
    [{ anyOf: [{ contains: { const: 1 }, minContains: 1 }, true], unevaluatedItems: false }, [1], true],
  ];
  for (const [schema, value, expected] of cases) {
    const text = `${JSON.stringify(schema)} of ${JSON.stringify(value)}`;
    assert.is(naivelyFits(schema, value), expected, text);
    assert.is(fits(schema, value), expected, text);
  }
});

test('the reasons name what the user wrote, at its place', () => {
  const reasons = (schema: Schema, value: unknown): unknown[] => {
    const compiled = compileSchema(schema, 'ERR_PREDICATE', '');
    if (!compiled.ok) throw new Error(compiled.faults[0]?.message);
    return compiled.faults(value, 'ERR_PREDICATE', '').map(({ message, pointer }) => `${message} ${pointer}`);
  };
  assert.equal(reasons({ minimum: 10, exclusiveMinimum: 0 }, 3), ['it does not fit "minimum" ']);
  const k = { const: { a: 1 }, unevaluatedProperties: false };
  assert.equal(reasons({ properties: { k } }, { k: { a: 2 } }), ['it does not fit "const" /k']);
  assert.equal(reasons({ properties: { k } }, { k: { a: 1 } }), ['it does not fit "unevaluatedProperties" /k/a']);
});

test('a $ref that fails beside what looks into the value is told like any other', () => {
  const $defs = { list: { type: 'array' }, object: { type: 'object' } };
  for (const [schema, value] of [
    [{ $ref: '#/$defs/object', dependentRequired: { a: ['b'] }, $defs }, 5],
    [{ $ref: '#/$defs/object', required: ['a'], dependentSchemas: { a: false }, $defs }, 'text'],
    [{ $ref: '#/$defs/list', contains: true, uniqueItems: true, unevaluatedItems: false, $defs }, { a: 1 }],
    [{ $ref: '#/$defs/list', items: { type: 'string' }, prefixItems: [true], $defs }, null],
  ] as const) {
    const compiled = compileSchema(schema, 'ERR_PREDICATE', '');
    assert.ok(compiled.ok);
    const [first] = compiled.ok ? compiled.faults(value, 'ERR_PREDICATE', '/x') : [];
    assert.is(first?.message, 'it does not fit "type"');
    assert.is(first?.pointer, '/x');
  }
});

test('bounds of draft 4, which are true or false, are refused', () => {
  assert.is(fits({ minimum: 5, exclusiveMinimum: true }, 5), undefined);
  assert.is(fits({ exclusiveMaximum: false }, 5), undefined);
});

test('a reference that leads back to itself is refused where unevaluated… asks what it evaluates, and taken elsewhere', () => {
  const leaf = { properties: { next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } } };
  for (const schema of [
    { properties: { next: { $ref: '#', unevaluatedProperties: false } } },
    { contains: { $ref: '#/$defs/y', unevaluatedProperties: false }, $defs: { y: { $ref: '#' } } },
    { properties: { next: { allOf: [{ $ref: '#here' }], unevaluatedItems: false } }, $anchor: 'here' },
  ]) {
    assert.is(fits(schema, { next: {} }), undefined, JSON.stringify(schema));
  }
  assert.is(fits({ ...leaf, unevaluatedProperties: false }, { next: { next: null } }), true);
  assert.is(fits({ ...leaf, unevaluatedProperties: false }, { next: { last: null } }), false);
  const $defs = { n: { properties: { next: { $ref: '#/$defs/n' } }, unevaluatedProperties: false } };
  assert.is(fits({ $ref: '#/$defs/n', $defs }, { next: { next: { z: 1 } } }), false);
  assert.is(fits({ $ref: '#/$defs/n', $defs }, { next: { next: {} } }), true);
});

test.run();
