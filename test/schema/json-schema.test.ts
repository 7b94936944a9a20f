import { readdir, readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { compileSchema } from '../../shared/schema/user-schema.ts';
import { suite } from '../harness/suite.ts';

const test = suite('JSON Schema, official suite');

interface Group {
  readonly description: string;
  readonly schema: unknown;
  readonly tests: readonly { readonly description: string; readonly data: unknown; readonly valid: boolean }[];
}

const FOLDER = new URL('./official/json-schema/', import.meta.url);
const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.json'));
const groups = await Promise.all(
  files.map(async (file) => ({
    file,
    groups: JSON.parse(await readFile(new URL(file, FOLDER), 'utf8')) as readonly Group[],
  })),
);

/** References that lead out of the schema: such cases need documents that nobody has here. */
const needsOthers = (reasons: string): boolean => /failed to resolve \$ref|another draft/.test(reasons);

const tally = { tried: 0, passed: 0, outside: 0, refused: new Map<string, number>(), deviating: [] as string[] };

function tryGroup(file: string, { description, schema, tests }: Group): void {
  const compiled = compileSchema(schema, 'ERR_PREDICATE', '');
  for (const one of tests) {
    if (!compiled.ok) {
      const reason = compiled.faults.map(({ message, expected }) => `${message} (${expected})`).join('; ');
      if (needsOthers(reason)) {
        tally.outside += 1;
        continue;
      }
      tally.tried += 1;
      const key = `${file}: ${description}: ${reason}`;
      tally.refused.set(key, (tally.refused.get(key) ?? 0) + 1);
      continue;
    }
    tally.tried += 1;
    let valid: boolean | string;
    try {
      valid = compiled.faults(one.data, 'ERR_PREDICATE', '').length === 0;
    } catch (error) {
      valid = String(error);
    }
    if (valid === one.valid) tally.passed += 1;
    else tally.deviating.push(`${file}: ${description}: ${one.description}: ${valid}`);
  }
}

for (const { file, groups: ofFile } of groups) for (const group of ofFile) tryGroup(file, group);
const refused = [...tally.refused.values()].reduce((sum, count) => sum + count, 0);

test('no official case of draft 2020-12 is judged wrongly', () => {
  process.stdout.write(
    `tried ${tally.tried}, passed ${tally.passed}, refused ${refused} (${((100 * refused) / tally.tried).toFixed(1)} %), deviating ${tally.deviating.length}, need other documents ${tally.outside}\n`,
  );
  for (const [reason, count] of tally.refused) process.stdout.write(`  refused ${count}: ${reason}\n`);
  assert.equal(tally.deviating, []);
  assert.ok(tally.tried > 1_200);
});

test('at most 3 % are refused, each with its reason', () => {
  assert.ok(refused / tally.tried <= 0.03, `${refused} of ${tally.tried}`);
});

const reasons = (schema: unknown): unknown[] => {
  const compiled = compileSchema(schema, 'ERR_PREDICATE', '');
  return compiled.ok ? [] : compiled.faults.map(({ pointer }) => pointer);
};

test('what a $ref reaches is checked like the rest of the schema', () => {
  for (const schema of [
    { $ref: '#/x-order', 'x-order': { requried: ['total'] } },
    { $ref: '#/x-order', 'x-order': { dependencies: { a: ['b'] } } },
    { $ref: '#/examples/0', examples: [{ maximun: 3 }] },
    { $ref: '#/%65xamples/0', examples: [{ maximun: 3 }] },
    { $ref: '#%2Fx-order', 'x-order': { requried: ['total'] } },
    { $ref: '#/$defs/a%2Fexamples', $defs: { a: { examples: { maximun: 3 } } } },
    { $ref: '#/properties', properties: { maximun: 3 } },
  ]) {
    assert.ok(reasons(schema).length > 0, JSON.stringify(schema));
  }
  assert.equal(reasons({ $ref: '#/$defs/0', $defs: [{ maximun: 3 }] }), ['/$defs/0/maximun']);
  assert.equal(reasons({ $ref: '#/$defs/a/items', $defs: { a: { items: { maximum: 3 } } } }), []);
});

test('schemas that are refused beside those of unknown keywords are the ones that docs/plans.md names', () => {
  assert.ok(reasons({ type: 'object', minLength: 1 }).length > 0);
  assert.ok(reasons({ required: ['a'], properties: {}, additionalProperties: false }).length > 0);
});

test.run();
