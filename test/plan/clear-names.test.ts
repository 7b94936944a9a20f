import * as assert from 'uvu/assert';
import { clearNames } from '../../shared/plan/clear-names.ts';
import { suite } from '../harness/suite.ts';

const test = suite('names of scratch that may be told');

type Plan = Parameters<typeof clearNames>[0];

const plan = (required: readonly string[], ...params: readonly Record<string, unknown>[]): Plan =>
  ({
    steps: params.map((one) => ({ params: one })),
    processors: {
      'a/plain@1': { entrypoint: ['node', 'rows.ts'], secrets: { required: [] } },
      'a/granted@1': { inputs: { params: { enum: ['todo'] } }, secrets: { required } },
    },
  }) as unknown as Plan;

test('all, where no step is granted a secret', () => {
  assert.is(clearNames(plan([], { topic: 'rows' })), 'all');
});

test('else what stands in params of any step or in a registry entry, and nothing besides', () => {
  const given = { topic: 'rows', nested: [{ __proto__: null, key: 'größe' }, null, 7, true] };
  const names = clearNames(plan(['TOKEN'], given, { constructor: 'other' }));
  if (names === 'all') throw new Error('all');
  for (const name of ['topic', 'rows', 'key', 'größe', 'constructor', 'other', 'todo', 'rows.ts']) {
    assert.ok(names.includes(name), name);
  }
  for (const name of ['row', '7', 'true', 'null', 'toString']) assert.not(names.includes(name), name);
});

test('the same for every step, and small enough for the head of a request, whatever the texts are', () => {
  for (const text of ['x', '😀', '\u0000', '"']) {
    const params = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`${at}`, text.repeat(at)]));
    const names = clearNames(plan(['TOKEN'], params));
    const bytes = Buffer.byteLength(JSON.stringify(names));
    assert.ok(bytes > 3_000 && bytes <= 4_097, `${bytes}`);
    assert.ok(names.includes('299') && names.includes(text), 'the shortest are there');
  }
});

test.run();
