import * as assert from 'uvu/assert';
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

test('aliases that stand for too much are refused, also those that stand for themselves', () => {
  const levels = 'abcdefgh'.split('').map((name, index, names) => {
    const before = index === 0 ? 'x' : `*${names[index - 1]}`;
    return `${name}: &${name} [${Array.from({ length: 9 }, () => before).join(', ')}]`;
  });
  assert.match(refused(levels.join('\n')).join(), /aliases stand for too much/);
  assert.match(refused('a: &a [*a]').join(), /aliases stand for too much/);
  assert.equal(refused('a: &a {b: 1}\nc: [*a, *a, *a]'), []);
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

test('another version of YAML is refused, since it reads the same text otherwise', () => {
  const read = readYaml('%YAML 1.1\n---\nnetwork: no\nlimit: 0100\nday: 2001-12-14\n');
  assert.equal(read.ok ? [] : read.faults.map(({ code, pointer }) => [code, pointer]), [
    ['ERR_NOT_YAML', 'line 1, column 1'],
  ]);
  assert.equal(readYaml('%YAML 1.2\n---\nnetwork: no\n'), { ok: true, value: { network: 'no' } });
});

test.run();
