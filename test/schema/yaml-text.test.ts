import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { endOfJson } from '../../shared/schema/json-place.ts';
import { readJson } from '../../shared/schema/json-text.ts';
import { readDocumentBytes, readYaml } from '../../shared/schema/yaml-text.ts';
import { suite } from '../harness/suite.ts';

const test = suite('YAML at the door');

const refused = (text: string): string[] => {
  const read = readYaml(text);
  return read.ok ? [] : read.faults.map(({ code, pointer, message }) => `${code} ${pointer}: ${message}`);
};

test('YAML that says what JSON can is read, JSON too', () => {
  const text = 'a: 1\nb: [x, "y", null, true, 0x1F, 1.50, -.5, +3, 1e3]\nc: &c {d: text}\ne: *c\n"1": quoted\n';
  assert.equal(readYaml(text), {
    ok: true,
    value: {
      a: 1,
      b: ['x', 'y', null, true, 31, 1.5, -0.5, 3, 1000],
      c: { d: 'text' },
      e: { d: 'text' },
      '1': 'quoted',
    },
  });
  assert.equal(readYaml('{"a": [1, {"b": "c"}]}'), { ok: true, value: { a: [1, { b: 'c' }] } });
});

test('numbers that no double holds, and those that JSON has not, are refused with line and column', () => {
  assert.equal(refused('a: 1\nn: 12345678901234567891\n'), [
    'ERR_NOT_YAML line 2, column 4: no double is 12345678901234567891',
  ]);
  assert.equal(refused('n: 0xFFFFFFFFFFFFFFFF'), ['ERR_NOT_YAML line 1, column 4: no double is 0xFFFFFFFFFFFFFFFF']);
  assert.is(refused('n: .inf').length, 1);
  assert.is(refused('n: .nan').length, 1);
});

test('tags, names that are no text and names that are there twice are refused with line and column', () => {
  assert.equal(refused('title: !!binary aGVsbG8=\nparams: !!set { a: null }\n'), [
    'ERR_NOT_YAML line 1, column 17: JSON has no !!binary',
    'ERR_NOT_YAML line 2, column 15: JSON has no !!set',
  ]);
  assert.match(refused('a: !thing x').join(), /line 1/);
  assert.match(refused('1: x').join(), /^ERR_NOT_YAML line 1, column 1: a name that is no text$/);
  assert.match(refused('[a]: x').join(), /a name that is no text/);
  assert.match(refused('a: 1\na: 2\n').join(), /^ERR_NOT_YAML line 2, column 1: /);
  assert.match(refused('a: [1').join(), /^ERR_NOT_YAML line 1/);
});

const TAGGED: readonly [text: string, fault: string][] = [
  ['a: !!str 3', 'line 1, column 10: JSON has no !!str'],
  ['a: !!int 3', 'line 1, column 10: JSON has no !!int'],
  ['a: !!float 3', 'line 1, column 4: Unresolved tag: tag:yaml.org,2002:float'],
  ['a: !!bool true', 'line 1, column 11: JSON has no !!bool'],
  ['a: 1\nb: !!null', 'line 2, column 10: JSON has no !!null'],
  ['a: !!map {}', 'line 1, column 10: JSON has no !!map'],
  ['a: !!seq\n  - 1', 'line 2, column 3: JSON has no !!seq'],
  ['a: ! 3', 'line 1, column 6: JSON has no !'],
  ['a: ! [3]', 'line 1, column 6: JSON has no !!seq'],
  ['!!str a: 3', 'line 1, column 7: JSON has no !!str'],
  ['a: [{b: &b !!str 3}]', 'line 1, column 18: JSON has no !!str'],
  ['--- !!map\na: 1', 'line 2, column 1: JSON has no !!map'],
  ['a: !<tag:yaml.org,2002:int> 3', 'line 1, column 29: JSON has no !!int'],
  ['%TAG ! tag:yaml.org,2002:\n---\na: !int 3', 'line 3, column 9: JSON has no !!int'],
];

test('every tag that is written is refused, also one of a kind that JSON has', () => {
  for (const [text, fault] of TAGGED) assert.equal(refused(text), [`ERR_NOT_YAML ${fault}`], text);
});

test('aliases that stand for too much are refused, also those that stand for themselves', () => {
  const levels = 'abcdefgh'.split('').map((name, index, names) => {
    const before = index === 0 ? 'x' : `*${names[index - 1]}`;
    return `${name}: &${name} [${Array.from({ length: 9 }, () => before).join(', ')}]`;
  });
  assert.match(refused(levels.join('\n')).join(), /aliases stand for too much/);
  assert.match(refused('a: &a [*a]').join(), /aliases stand for too much/);
  assert.equal(refused('a: &a {b: 1}\nc: [*a, *a, *a]'), []);
});

test('mappings of many names and texts of many anchors are read: what is quadratic would not end here', () => {
  const names = Array.from({ length: 50_000 }, (_, at) => `k${at}`);
  const pairs = names.map((name) => `${name}: 1`);
  assert.equal(refused(`${pairs.join('\n')}\nk7: 2`), [
    'ERR_NOT_YAML line 50001, column 1: the name "k7" is there twice',
  ]);
  assert.is(refused('a: 1\n'.repeat(2_000)).length, 20);
  assert.is(refused(`x: [${'*a, '.repeat(2_000)}]`).length, 20);
  const anchored = names.map((name) => `&${name} 1`);
  assert.ok(readYaml(`x: [${anchored.join(', ')}, ${names.slice(0, 900).map((name) => `*${name} `)}]`).ok);
});

test('what is empty is nothing, and an alias of nothing is told', () => {
  for (const text of ['', '# only a comment', '---', '-']) assert.ok(readYaml(text).ok, text);
  assert.match(refused('plan_id: *x').join(), /^ERR_NOT_YAML line 1, column 10: nothing before it is called &x$/);
  assert.match(refused('<<: *b\nb: &b {}').join(), /nothing before it is called &b/);
});

test('what is too deep is refused before anything recurses into it', () => {
  for (const levels of [200, 2_000, 20_000, 1_000_000]) {
    assert.match(refused(`${'['.repeat(levels)}${']'.repeat(levels)}`).join(), /too deep|too large/);
  }
  assert.match(refused(`${'- '.repeat(20_000)}x`).join(), /too deep/);
  const blocks = Array.from({ length: 300 }, (_, level) => `${' '.repeat(level)}a:`).join('\n');
  assert.match(refused(blocks).join(), /too deep/);
});

test('a file of JSON is judged by the rules of JSON, as on NATS', () => {
  const codes = (text: string) => {
    const read = readDocumentBytes(new TextEncoder().encode(text));
    return read.ok ? read.value : read.faults.map(({ code, pointer }) => `${code} ${pointer}`);
  };
  assert.equal(codes(' {"a": {"b": 1, "b": 2}, "c": 12345678901234567891}'), [
    'ERR_NOT_I_JSON /a/b',
    'ERR_NOT_I_JSON /c',
  ]);
  assert.equal(codes('{"a": "\\ud800"}'), ['ERR_NOT_I_JSON /a']);
  assert.equal(codes('{a: 1, b: [2]}'), { a: 1, b: [2] }, 'the braces of YAML');
  assert.equal(codes('{a: 1, a: 2}'), ['ERR_NOT_YAML line 1, column 8']);
});

const NEAR_JSON: readonly [text: string, place: string][] = [
  ['{"a": 1,}', 'line 1, column 9'],
  ['[1, 2,]', 'line 1, column 7'],
  ['{\n  "a": 01\n}', 'line 2, column 9'],
  ['{"a": .5}', 'line 1, column 7'],
  ['{"a": 1.}', 'line 1, column 8'],
  ['{"a": +1}', 'line 1, column 7'],
  ['{"a": 1 // of a person\n}', 'line 1, column 9'],
  ['{\n  "a": 1\n  # of a person\n}', 'line 3, column 3'],
  ['{"a": x}', 'line 1, column 7'],
  ['{"a": \'x\'}', 'line 1, column 7'],
  ['{"a": "x\ny"}', 'line 1, column 9'],
  ['{"a": "\\x"}', 'line 1, column 8'],
  ['{"a": 1, b: 2}', 'line 1, column 10'],
  ['{"a" 1}', 'line 1, column 6'],
  ['{"a": [1}', 'line 1, column 9'],
  ['{"a": 1', 'line 1, column 8'],
  ['{"a": 1}\n---\n{"a": 2}', 'line 2, column 1'],
];

test('what begins as JSON is JSON and nothing else, whatever the file is called: near JSON is refused as on NATS', () => {
  for (const [text, place] of NEAR_JSON) {
    assert.is(readJson(text).ok, false, text);
    for (const name of ['plan.json', 'plan.yaml', '-']) {
      const read = readDocumentBytes(new TextEncoder().encode(text), name);
      assert.equal(read.ok || read.faults.map(({ code, pointer }) => [code, pointer]), [['ERR_NOT_JSON', place]], text);
    }
  }
});

test('a file called .json is JSON whatever it begins with', () => {
  const codes = (text: string, name: string) => {
    const read = readDocumentBytes(new TextEncoder().encode(text), name);
    return read.ok || read.faults.map(({ code, pointer }) => `${code} ${pointer}`);
  };
  for (const text of ['plan_id: x', '{plan_id: x}', '# a comment\n{}']) {
    assert.is(codes(text, 'plan.yaml'), true, text);
    assert.match(String(codes(text, 'plan.JSON')), /^ERR_NOT_JSON line 1, column [12]$/, text);
  }
  assert.equal(codes('', 'plan.json'), ['ERR_NOT_JSON line 1, column 1']);
});

test('where a text stops being JSON is where the parser of the machine stops, if it says so', () => {
  const mangled = fc.tuple(fc.jsonValue(), fc.nat(), fc.constantFrom('', ',', ']', '}', '"', '.', '0', '#', '\\', ' '));
  const property = fc.property(mangled, ([value, where, what]) => {
    const whole = JSON.stringify(value, null, 1);
    const at = where % (whole.length + 1);
    const text = `${whole.slice(0, at)}${what}${whole.slice(at + 1)}`;
    try {
      JSON.parse(text);
      assert.is(endOfJson(text), text.length);
    } catch (error) {
      const { message } = error as Error;
      const [, position] = /at position (\d+)/.exec(message) ?? [];
      const end = endOfJson(text);
      // A bad escape or number is told at its end by some parsers, at its beginning by others.
      if (position !== undefined) assert.ok(Math.abs(end - Number(position)) <= 6, `${message}: ${end} in ${text}`);
    }
  });
  fc.assert(property, { numRuns: 2_000, seed: 20_261_128 });
});

test('another version of YAML is refused, since it reads the same text otherwise', () => {
  const read = readYaml('%YAML 1.1\n---\nnetwork: no\nlimit: 0100\nday: 2001-12-14\n');
  assert.equal(read.ok ? [] : read.faults.map(({ code, pointer }) => [code, pointer]), [
    ['ERR_NOT_YAML', 'line 1, column 1'],
  ]);
  assert.equal(readYaml('%YAML 1.2\n---\nnetwork: no\n'), { ok: true, value: { network: 'no' } });
});

test.run();
