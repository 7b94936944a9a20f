import { readdir, readFile } from 'node:fs/promises';
import * as jmespath from '@jmespath-community/jmespath';
import * as assert from 'uvu/assert';
import { ARITY, compileExpression } from '../../shared/schema/jmespath.ts';
import { suite } from '../harness/suite.ts';

const test = suite('JMESPath, official suite');

interface Group {
  readonly given: unknown;
  readonly cases: readonly { readonly expression: string; readonly result?: unknown; readonly error?: string }[];
}

const FOLDER = new URL('./official/jmespath/', import.meta.url);
const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.json'));

const tally = { tried: 0, passed: 0, refused: [] as string[], deviating: [] as string[] };

function judged(
  expression: string,
  given: unknown,
): { readonly value?: unknown; readonly refused?: string; readonly threw?: true } {
  const compiled = compileExpression(expression, 'ERR_PREDICATE', '');
  if (!compiled.ok) return { refused: compiled.faults.map(({ message }) => message).join('; ') };
  try {
    return { value: compiled.search(given) };
  } catch {
    // The suite says which cases must fail.
    return { threw: true };
  }
}

function isSame(a: unknown, b: unknown): boolean {
  try {
    assert.equal(a, b);
    return true;
  } catch {
    return false;
  }
}

for (const file of files) {
  for (const { given, cases } of JSON.parse(await readFile(new URL(file, FOLDER), 'utf8')) as readonly Group[]) {
    for (const { expression, result, error } of cases) {
      if (result === undefined && error === undefined) continue;
      tally.tried += 1;
      const got = judged(expression, given);
      if (error !== undefined ? 'value' in got === false : 'value' in got && isSame(got.value, result))
        tally.passed += 1;
      else if (got.refused !== undefined) tally.refused.push(`${file}: ${expression}: ${got.refused}`);
      else
        tally.deviating.push(`${file}: ${expression}: ${JSON.stringify(got)}, not ${JSON.stringify(result ?? error)}`);
    }
  }
}

test('no official case is judged wrongly, and at most 3 % are refused', () => {
  const { tried, passed, refused, deviating } = tally;
  process.stdout.write(`tried ${tried}, passed ${passed}, refused ${refused.length}, deviating ${deviating.length}\n`);
  for (const reason of refused) process.stdout.write(`  refused ${reason}\n`);
  assert.equal(deviating, []);
  assert.ok(tried > 850 && refused.length / tried <= 0.03);
});

test('the number of arguments of every function is what the library takes', () => {
  assert.equal(
    [...ARITY.keys()].sort(),
    jmespath
      .getRegisteredFunctions()
      .filter((name) => name !== 'own field')
      .sort(),
  );
  for (const [name, [least, most]] of ARITY) {
    const call = (count: number): string => `${name}(${Array.from({ length: count }, () => '@').join(', ')})`;
    const arityFails = (count: number): boolean => {
      try {
        jmespath.search(null, call(count));
        return false;
      } catch (error) {
        return (error as Error).message.startsWith('Invalid arity');
      }
    };
    if (least > 1) assert.ok(arityFails(least - 1), call(least - 1));
    assert.not(arityFails(least), call(least));
    if (most === Number.POSITIVE_INFINITY) continue;
    assert.not(arityFails(most), call(most));
    assert.ok(arityFails(most + 1), call(most + 1));
  }
});

const search = (expression: string, document: unknown): unknown => {
  const compiled = compileExpression(expression, 'ERR_PREDICATE', '/x');
  if (!compiled.ok) throw new Error(compiled.faults[0]?.message);
  return compiled.search(document);
};

test('names that every object has are not there, unless the document has them', () => {
  for (const name of Object.getOwnPropertyNames(Object.prototype)) {
    const quoted = JSON.stringify(name);
    assert.is(search(quoted, {}), null, name);
    assert.is(search(`a.${quoted}`, { a: { b: 1 } }), null, name);
    assert.equal(search(`[?${quoted}]`, [{}, { b: 1 }]), [], name);
    assert.equal(search(`{x: ${quoted}}`, {}), { x: null }, name);
    assert.is(search(`{x: @} | ${quoted}`, 1), null, name);
    assert.is(search(`map(&${quoted}, @)[0]`, [{}]), null, name);
    if (name !== '__proto__') assert.is(search(quoted, { [name]: 7 }), 7, name);
  }
  assert.is(search('"__proto__"', JSON.parse('{"__proto__": 7}')), 7);
  assert.throws(() => search('constructor(@)', {}), /no function constructor/);
});

const place = (expression: string): string | undefined => {
  const compiled = compileExpression(expression, 'ERR_PREDICATE', '/predicates/0/expression');
  if (compiled.ok) return undefined;
  assert.is(compiled.faults[0]?.pointer, '/predicates/0/expression');
  return /^column (\d+): /.exec(compiled.faults[0]?.message ?? '')?.[1];
};

test('a fault tells its column', () => {
  assert.is(place('foo['), '5');
  assert.is(place('a..b'), '3');
  assert.is(place('a.b ]'), '5');
  assert.is(place("a == 'abc"), '6');
  assert.is(place('a."b'), '3');
  assert.is(place('a | nothing(@)'), '5');
  assert.is(place('length(@, @)'), '1');
  assert.is(place('a # b'), '3');
  assert.is(place(''), '1');
  assert.is(place('a.b'), undefined);
});

test.run();
