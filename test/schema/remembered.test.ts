import * as assert from 'uvu/assert';
import { compileExpression } from '../../shared/schema/jmespath.ts';
import { MAX_REMEMBERED_TEXT, Remembered } from '../../shared/schema/remembered.ts';
import { compileSchema } from '../../shared/schema/user-schema.ts';
import { suite } from '../harness/suite.ts';

const test = suite('what is remembered of texts');

const made = () => ({});
/** More than any bound of entries. */
const MANY = 1_000;

test('what was made of a text is given again, and of another text is not', () => {
  const remembered = new Remembered<object>();
  const first = made();
  remembered.set('a', first);
  for (let times = 0; times < 3; times++) assert.is(remembered.get('a'), first);
  assert.is(remembered.get('b'), undefined);
});

test('texts that come once push out none that came again, and few of them stay', () => {
  const remembered = new Remembered<object>();
  remembered.set('usual', made());
  remembered.get('usual');
  for (let n = 0; n < MANY; n++) remembered.set(`once ${n}`, made());
  assert.ok(remembered.get('usual') !== undefined);
  const left = Array.from({ length: MANY }, (_, n) => remembered.get(`once ${n}`)).filter((one) => one !== undefined);
  assert.ok(left.length > 0 && left.length <= 16, `${left.length} are left`);
});

test('texts that come again, however many, are bounded in number and in size; a large one has no place', () => {
  for (const [length, most] of [
    [10, 64],
    [MAX_REMEMBERED_TEXT, 32],
    [MAX_REMEMBERED_TEXT + 1, 0],
  ] as const) {
    const remembered = new Remembered<object>();
    const texts = Array.from({ length: MANY }, (_, n) => String(n).padEnd(length));
    for (const text of texts) {
      remembered.set(text, made());
      remembered.get(text);
    }
    const left = texts.filter((text) => remembered.get(text) !== undefined);
    assert.ok(left.length <= most && (most === 0 || left.length > 0), `${left.length} of ${length} characters`);
  }
});

test('a schema and an expression that are met again are what they were; one that cannot be used says where each time', () => {
  const schema = { properties: { n: { type: 'integer' } } };
  const again = structuredClone(schema);
  const [one, two] = [compileSchema(schema, 'ERR_PARAMS', ''), compileSchema(again, 'ERR_PREDICATE', '/elsewhere')];
  assert.is(one, two);
  assert.is(compileExpression('a.b', 'ERR_PREDICATE', ''), compileExpression('a.b', 'ERR_PREDICATE', '/x'));
  for (const base of ['/a', '/b']) {
    const wrong = compileSchema({ type: 'strnig' }, 'ERR_PREDICATE', base);
    assert.equal(wrong.ok ? [] : wrong.faults.map(({ pointer }) => pointer), [base]);
    const unclosed = compileExpression('a[', 'ERR_PREDICATE', base);
    assert.equal(unclosed.ok ? [] : unclosed.faults.map(({ pointer }) => pointer), [base]);
  }
});

test('a schema is told from one that differs in a member, a value or an order of values', () => {
  const compiled = [{ enum: [1, 2] }, { enum: [2, 1] }, { enum: ['1', 2] }, { const: 1 }, {}, true, false].map(
    (schema) => compileSchema(schema, 'ERR_PARAMS', ''),
  );
  assert.is(new Set(compiled).size, compiled.length);
});

test.run();
