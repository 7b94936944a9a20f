import { readFile } from 'node:fs/promises';
import type { TObject } from 'typebox';
import * as assert from 'uvu/assert';
import { EVENT_DATA, EVENT_KINDS, EVENT_WORDS } from '../../shared/ledger/events.ts';
import { LEGAL } from '../../shared/ledger/legal.ts';
import { AUDIT } from '../../shared/plan/audit.ts';
import { suite } from '../harness/suite.ts';

const test = suite('the page of events');

const page = await readFile(new URL('../../docs/events.md', import.meta.url), 'utf8');
const sections = new Map(
  page
    .split(/^### /m)
    .slice(1)
    .map((section) => [section.split('\n')[0] ?? '', section.split(/^## /m)[0] ?? '']),
);

test('every kind has its section, and nothing else has one', () => {
  assert.equal([...sections.keys()].sort(), [...EVENT_KINDS].sort());
});

test('the words of every kind tell of every field', () => {
  for (const kind of EVENT_KINDS) {
    for (const field of Object.keys((EVENT_DATA[kind] as TObject).properties)) {
      assert.ok(EVENT_WORDS[kind].includes(`\`${field}\``), `${kind} does not tell of ${field}`);
    }
  }
});

test('every kind tells the rules of the chain and of the admitted plan, each in its own words', () => {
  for (const kind of EVENT_KINDS) {
    for (const { name, says } of [...LEGAL[kind].rules, ...(AUDIT[kind] ?? [])]) {
      assert.match(says, / /, `${name} says nothing`);
      assert.ok(sections.get(kind)?.includes(`\n- ${says}\n`), `${kind} does not tell of ${name}`);
    }
  }
});

test.run();
