import { readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { EVENT_KINDS } from '../../shared/ledger/events.ts';
import { suite } from '../harness/suite.ts';
import { type Digests, digestsNow } from './schema-digests.ts';

const test = suite('schemas of events');

const FILE = new URL('./golden/schemas.json', import.meta.url);
const given = JSON.parse(await readFile(FILE, 'utf8')) as Digests;
const now = digestsNow();

for (const kind of EVENT_KINDS) {
  test(`${kind} means what it did: a change of its data is a new version, with the old one kept in versions.ts`, () => {
    assert.equal(now[kind], given[kind]);
  });
}

test('no kind goes', () => {
  assert.equal(Object.keys(given).sort(), Object.keys(now));
});

test.run();
