import { readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.ts';
import { goldenEvents, verdictsOf } from './legality.ts';

const test = suite('what is legal stays so');

const FOLDER = new URL('./golden/v2/', import.meta.url);
const golden = await goldenEvents(FOLDER);
const pictures = JSON.parse(await readFile(new URL('./golden/legality.json', import.meta.url), 'utf8')) as Record<
  string,
  readonly string[]
>;

for (const [name, events] of golden) {
  // To loosen or to tighten a rule is a decision: it is told in ADR 73, and the lines that it changes are changed with it.
  test(`${name}, with any one step changed, is found where it was`, () => {
    assert.equal(verdictsOf(name, events), pictures[name]);
  });
}

test('every golden ledger has its picture, and none is gone', () => {
  assert.equal(
    Object.keys(pictures).sort(),
    golden.map(([name]) => name),
  );
});

test.run();
