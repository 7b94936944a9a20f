import serialize from 'canonicalize';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { canonicalBytes, canonicalText } from '../../shared/hash/canonical.ts';
import { suite } from '../harness/suite.ts';

const test = suite('canonical JSON (RFC 8785)');

/** RFC 8785, appendix B: IEEE 754 bits and what they are written as. */
const NUMBERS: readonly [bits: string, text: string][] = [
  ['0000000000000000', '0'],
  ['8000000000000000', '0'],
  ['0000000000000001', '5e-324'],
  ['8000000000000001', '-5e-324'],
  ['7fefffffffffffff', '1.7976931348623157e+308'],
  ['ffefffffffffffff', '-1.7976931348623157e+308'],
  ['4340000000000000', '9007199254740992'],
  ['c340000000000000', '-9007199254740992'],
  ['4430000000000000', '295147905179352830000'],
  ['44b52d02c7e14af5', '9.999999999999997e+22'],
  ['44b52d02c7e14af6', '1e+23'],
  ['44b52d02c7e14af7', '1.0000000000000001e+23'],
  ['444b1ae4d6e2ef4e', '999999999999999700000'],
  ['444b1ae4d6e2ef4f', '999999999999999900000'],
  ['444b1ae4d6e2ef50', '1e+21'],
  ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
  ['3eb0c6f7a0b5ed8d', '0.000001'],
  ['41b3de4355555553', '333333333.3333332'],
  ['41b3de4355555554', '333333333.33333325'],
  ['41b3de4355555555', '333333333.3333333'],
  ['41b3de4355555556', '333333333.3333334'],
  ['41b3de4355555557', '333333333.33333343'],
  ['becbf647612f3696', '-0.0000033333333333333333'],
  ['43143ff3c1cb0959', '1424953923781206.2'],
];

/** The rows of appendix B that have no JSON. */
const NO_NUMBERS = ['7fffffffffffffff', '7ff0000000000000', 'fff0000000000000'];

const double = (bits: string): number => Buffer.from(bits, 'hex').readDoubleBE(0);

function refuses(value: unknown, what: string): void {
  try {
    canonicalText(value);
  } catch (error) {
    assert.instance(error, IsomorphError, what);
    assert.is((error as IsomorphError).code, 'ERR_SCHEMA', what);
    return;
  }
  assert.unreachable(`${what} was accepted`);
}

test('numbers are written as in appendix B', () => {
  for (const [bits, text] of NUMBERS) assert.is(canonicalText(double(bits)), text, bits);
});

test('what is no number in JSON is refused', () => {
  for (const bits of NO_NUMBERS) refuses({ value: double(bits) }, bits);
});

test('keys are sorted by UTF-16 code units (3.2.3)', () => {
  const value = {
    '\u20ac': 'Euro Sign',
    '\r': 'Carriage Return',
    '\ufb33': 'Hebrew Letter Dalet With Dagesh',
    '1': 'One',
    '\ud83d\ude00': 'Emoji: Grinning Face',
    '\u0080': 'Control',
    '\u00f6': 'Latin Small Letter O With Diaeresis',
  };
  assert.is(
    canonicalText(value),
    '{"\\r":"Carriage Return","1":"One","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis",' +
      '"\u20ac":"Euro Sign","\ud83d\ude00":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
  );
  // JavaScript would give integer keys in order of their value.
  assert.is(canonicalText({ 2: 'b', 10: 'a' }), '{"10":"a","2":"b"}');
});

test('the sample of 3.2.2 has the bytes of 3.2.4', () => {
  const sample = String.raw`{
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
    "literals": [null, true, false]
  }`;
  const bytes = `
    7b 22 6c 69 74 65 72 61 6c 73 22 3a 5b 6e 75 6c 6c 2c 74 72
    75 65 2c 66 61 6c 73 65 5d 2c 22 6e 75 6d 62 65 72 73 22 3a
    5b 33 33 33 33 33 33 33 33 33 2e 33 33 33 33 33 33 33 2c 31
    65 2b 33 30 2c 34 2e 35 2c 30 2e 30 30 32 2c 31 65 2d 32 37
    5d 2c 22 73 74 72 69 6e 67 22 3a 22 e2 82 ac 24 5c 75 30 30
    30 66 5c 6e 41 27 42 5c 22 5c 5c 5c 5c 5c 22 2f 22 7d`;
  assert.is(Buffer.from(canonicalBytes(JSON.parse(sample))).toString('hex'), bytes.replaceAll(/\s/g, ''));
});

test('text without a Unicode meaning is refused, in values and in keys', () => {
  refuses('\ud800', 'a lone high surrogate');
  refuses({ nested: ['\udc00 first'] }, 'a lone low surrogate');
  refuses({ '\udead': 1 }, 'a lone surrogate in a key');
  assert.is(canonicalText('\ud83d\ude00'), '"\ud83d\ude00"');
});

test('what is no JSON value at all is refused', () => {
  refuses(undefined, 'undefined');
  refuses(() => 1, 'a function');
  refuses(10n, 'a bigint');
});

/** Members that JavaScript orders, drops or reads otherwise than JSON does, among others. */
const KEYS = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('__proto__', '10', '9', '-1', '', 'toJSON', 'a', 'b'),
);
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, undefined, Number.NaN, -0, 1e21, '\ud800', '\\ud', Symbol('s')),
    fc.boolean(),
    fc.double(),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(KEYS, tie('value')), { maxLength: 6 }).map((members) => {
      const object = Object.create(members.length % 2 === 0 ? Object.prototype : null);
      for (const [name, value] of members) {
        Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
      }
      return object;
    }),
  ),
})).value;

const outcomeOf = (make: () => string | undefined): string => {
  try {
    return make() ?? 'refused';
  } catch {
    return 'refused';
  }
};

test('the text is that of the reference implementation, for whatever there is', () => {
  fc.assert(
    fc.property(values, (value) => {
      assert.is(
        outcomeOf(() => canonicalText(value)),
        outcomeOf(() => serialize(value)),
      );
    }),
    { numRuns: 2_000 },
  );
});

test('a circle is refused, and what is merely deep is written', () => {
  const circle: unknown[] = [];
  circle.push({ circle });
  refuses(circle, 'a circle');
  let deep: unknown = 1;
  for (let n = 0; n < 200; n++) deep = { b: deep, a: [n] };
  assert.is(canonicalText(deep), serialize(deep));
});

test('a value is left as it was', () => {
  const value = { b: [{ d: 1, c: 2 }], a: 1 };
  assert.is(canonicalText(value), '{"a":1,"b":[{"c":2,"d":1}]}');
  assert.is(JSON.stringify(value), '{"b":[{"d":1,"c":2}],"a":1}');
});

test.run();
