import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { MAX_JSON_DEPTH, readJson, survivesDouble } from '../../shared/schema/json-text.ts';
import { suite } from '../harness/suite.ts';

const test = suite('JSON at the door');

const refused = (text: string): unknown[] => {
  const read = readJson(text);
  return read.ok ? [] : read.faults.map(({ code, pointer }) => [code, pointer]);
};

test('what everybody reads alike is read', () => {
  const values = [
    'null',
    '""',
    '[]',
    '{}',
    '{"a":[1,{"b":-0.5e-7}],"c":{"a":1}}',
    '{"a":{"x":1},"b":{"x":1}}',
    '"{\\"a\\":1,\\"a\\":2}"',
  ];
  for (const text of values) assert.equal(readJson(text), { ok: true, value: JSON.parse(text) }, text);
});

test('numbers that no double holds are refused at their place', () => {
  assert.equal(refused('{"a":{"n":[0,12345678901234567891]}}'), [['ERR_NOT_I_JSON', '/a/n/1']]);
  assert.equal(refused('{"a/b~":1e400}'), [['ERR_NOT_I_JSON', '/a~1b~0']]);
  for (const text of ['9007199254740993', '0.1000000000000000055511151231257827', '1e-400', '-12345678901234567891']) {
    assert.not.ok(survivesDouble(text), text);
  }
  for (const text of [
    '0',
    '-0',
    '0.0',
    '0e5',
    '1.50',
    '1E3',
    '100',
    '9007199254740992',
    '1e23',
    '5e-324',
    '0.1',
    '-1.7976931348623157e308',
  ]) {
    assert.ok(survivesDouble(text), text);
  }
});

test('a number of any length is judged at once: what is quadratic would not end here', () => {
  for (const digits of [`0.1${'0'.repeat(900_000)}1`, `1${'0'.repeat(900_000)}`, '9'.repeat(900_000)]) {
    assert.equal(refused(`{"n":${digits}}`), [['ERR_NOT_I_JSON', '/n']]);
  }
  assert.equal(refused(`[${'0.10,'.repeat(100_000)}0]`), []);
  assert.equal(refused(`[${'"\\\\",'.repeat(100_000)}0]`), []);
});

test('a member that is there twice is refused at its place, however it is written', () => {
  assert.equal(refused('{"budget":{"n":1},"budget":{"n":2}}'), [['ERR_NOT_I_JSON', '/budget']]);
  assert.equal(refused('[{"a":1,"\\u0061":2}]'), [['ERR_NOT_I_JSON', '/0/a']]);
  assert.equal(refused('{"__proto__":1,"__proto__":2}'), [['ERR_NOT_I_JSON', '/__proto__']]);
});

test('half a character is refused at its place, in a text and in a name', () => {
  for (const half of ['\\ud800', '\\uDFFF', 'x\\udc00\\ud800x', '\\\\\\ud800']) {
    assert.equal(refused(`{"a":[0,"${half}"]}`), [['ERR_NOT_I_JSON', '/a/1']], half);
    assert.equal(refused(`{"a":{"${half}":1}}`), [['ERR_NOT_I_JSON', '/a']], half);
  }
  assert.equal(refused('{"a":["\\ud83d\\ude00","\\\\ud800","\\u00e9"]}'), []);
});

test('a number beyond every double is refused without naming an infinite one', () => {
  const read = readJson('[1e400]');
  assert.is(read.ok || read.faults[0]?.expected, 'a number that a double holds, or a string');
});

test('what is too deep, or no JSON, is refused', () => {
  const nested = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;
  assert.equal(refused(nested(MAX_JSON_DEPTH)), []);
  assert.equal(refused(nested(MAX_JSON_DEPTH + 1)), [['ERR_NOT_I_JSON', '']]);
  assert.equal(refused(nested(1_000_000)), [['ERR_NOT_I_JSON', '']]);
  for (const text of ['', '{', "{'a':1}", '01', '[1,]', 'NaN']) assert.equal(refused(text), [['ERR_NOT_JSON', '']]);
});

test('whatever a program wrote as JSON is read as it was', () => {
  const property = fc.property(fc.jsonValue(), (value) => {
    const text = JSON.stringify(value);
    assert.equal(readJson(text), { ok: true, value: JSON.parse(text) });
  });
  fc.assert(property, { numRuns: 500, seed: 20_261_127 });
});

test.run();
