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
      .filter((name) => !name.includes(' '))
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

test('functions judge as the dialect says where the library does not', () => {
  const judged: readonly [expression: string, document: unknown, result: unknown][] = [
    ['contains(@, `{"a": [1]}`)', [{ a: [1] }], true],
    ['contains(@, {a: `1`})', [{ a: 1, b: 2 }], false],
    ['contains(@, `"1"`)', [1], false],
    ['contains(@, `1`)', 'a1', false],
    ['group_by(@, &k)."constructor"', [{ k: 'constructor' }, { k: 'a' }], [{ k: 'constructor' }]],
    ['keys(group_by(@, &k))', [{ k: '__proto__' }, { k: 'toString' }], ['__proto__', 'toString']],
    ['keys(merge(@, `{"a": 1}`))', JSON.parse('{"__proto__": 7}'), ['__proto__', 'a']],
    ['sort(@)', [10, 9, 1], [1, 9, 10]],
    ['sort(@)', ['😀', '\uffff', 'b', 'B'], ['B', 'b', '\uffff', '😀']],
    ['max(@)', ['b', 'B', 'ä'], 'ä'],
    ['min(@)', ['b', 'B'], 'B'],
    ['max_by(@, &k).k', [{ k: 'a' }, { k: 'b' }], 'b'],
    ['min_by(@, &@)', ['', 'x'], ''],
    ['max_by(@, &@)', [0, -1], 0],
    ['max(@)', [], null],
    ['max_by(@, &@)', [], null],
    ['[to_number(`""`), to_number(`"0x10"`), to_number(`" 1"`), to_number(`"-1.5e2"`)]', 0, [null, null, null, -150]],
  ];
  for (const [expression, document, result] of judged) assert.equal(search(expression, document), result, expression);
  for (const mixed of ['max_by(@, &@)', 'min_by(@, &@)', 'group_by(@, &@)', 'sort(@)', 'max(@)'])
    assert.throws(() => search(mixed, ['a', 1]), /nvalid type/, mixed);
  assert.throws(() => search('{"__proto__": @}', 1), /__proto__ is no name that a result can have/);
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
  assert.is(place('{"__proto__": @}'), '3');
  assert.is(place('length(@, @)'), '1');
  assert.is(place('a # b'), '3');
  assert.is(place(''), '1');
  assert.is(place('a.b'), undefined);
});

test('texts are of code points in every function', () => {
  const text = 'a😀b';
  for (const [expression, document, result] of [
    ["split(@, '')", text, ['a', '😀', 'b']],
    ["split(@, '', `1`)", text, ['a', '😀b']],
    ["find_first(@, 'b')", text, 2],
    ["find_first(@, 'b', `2`)", text, 2],
    ["find_first(@, 'b', `0`, `2`)", text, null],
    ["find_last(@, 'b')", text, 2],
    ["pad_left(@, `5`, '-')", text, '--a😀b'],
    ["pad_right(@, `5`, '-')", text, 'a😀b--'],
    ["pad_left(@, `2`, '😀')", 'a', '😀a'],
  ] as const) {
    assert.equal(judged(expression, document), { value: result }, expression);
  }
});

test('what a document says is data, also where it looks like an expression', () => {
  const expression = { expref: true, type: 'Field', name: 'k' };
  const document = { expref: true, jmespathType: 'Expref', f: expression, list: [{ k: 2 }, { k: 1 }] };
  for (const [text, result] of [
    ["type(@) == 'object'", true],
    ['length(keys(@))', 4],
    ['length(@)', 4],
    ['length(values(@))', 4],
    ['length(items(f))', 3],
    ['merge(f, {name: `1`})', { expref: true, type: 'Field', name: 1 }],
    ['let $f = f in type($f)', 'object'],
    ['map(&type(@), [f])', ['object']],
    ['sort_by(list, &k)', [{ k: 1 }, { k: 2 }]],
    ['let $n = `1` in map(&k, list)', [2, 1]],
    ['let $by = &k in max_by(list, $by)', { k: 2 }],
  ] as const) {
    assert.equal(search(text, document), result, text);
  }
  for (const call of [
    'map(f, list)',
    'map(`{"expref": true, "type": "Current"}`, list)',
    'let $f = f in map($f, list)',
  ])
    assert.throws(() => search(call, document), /expected argument 1 to be type \(expression\)/, call);
  for (const name of ['sort_by', 'group_by', 'max_by', 'min_by'])
    assert.throws(() => search(`${name}(list, f)`, document), /expected argument 2 to be type \(expression\)/, name);
});

test('a literal that readers would take differently is refused at its column, as in a document', () => {
  const message = (expression: string): string | undefined => {
    const compiled = compileExpression(expression, 'ERR_PREDICATE', '/x');
    return compiled.ok ? undefined : compiled.faults[0]?.message;
  };
  assert.match(message('a == `1e400`') ?? '', /^column 6: no double is 1e400/);
  assert.match(message('a < `12345678901234567891`') ?? '', /^column 5: no double is 12345678901234567891/);
  assert.match(message('`[{"a": 1, "a": 2}]`') ?? '', /member is there twice at \/0\/a/);
  assert.match(message('`"\\ud800"`') ?? '', /^column 1: a text with half a character/);
  assert.match(message('a."\\ud800"') ?? '', /^column 3: a text with half a character/);
  for (const fine of ['`1e2`', '` 1.50`', '`"a\\`1e400"`', "'1e400'", '"1e400"', '`{"a": {"a": 1}}`'])
    assert.is(message(fine), undefined, fine);
});

test.run();
