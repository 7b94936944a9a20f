import { readdir, readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { decodeLine } from '../../shared/ledger/envelope.ts';
import { EVENT_KINDS } from '../../shared/ledger/events.ts';
import { fold } from '../../shared/ledger/evolve.ts';
import { understood } from '../../shared/ledger/meaning.ts';
import { Verifier } from '../../shared/ledger/verify.ts';
import { suite } from '../harness/suite.ts';
import { summarize } from './golden/summary.ts';

const test = suite('golden ledgers');

const FOLDER = new URL('./golden/', import.meta.url);
const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.ndjson')).map((name) => name.slice(0, -7));
const summaries = JSON.parse(await readFile(new URL('summaries.json', FOLDER), 'utf8')) as Record<string, unknown>;

const linesOf = async (name: string): Promise<string[]> =>
  (await readFile(new URL(`${name}.ndjson`, FOLDER), 'utf8')).trimEnd().split('\n');

for (const name of names) {
  test(`${name} verifies and folds to its summary`, async () => {
    const verifier = new Verifier();
    const lines = await linesOf(name);
    for (const [index, line] of lines.entries()) verifier.line(line, `line ${index + 1}`);
    const { findings, plans } = verifier.verdict();
    assert.equal(findings, []);
    assert.equal(
      plans.map(({ planId, complete }) => [planId, complete]),
      [[name, true]],
    );
    assert.equal(
      summarize(
        fold(
          name,
          lines.map((line) => understood(decodeLine(line))),
        ),
      ),
      summaries[name],
    );
  });

  test(`${name} is written as the same bytes`, async () => {
    for (const line of await linesOf(name)) assert.is(canonicalText(decodeLine(line)), line);
  });
}

test('every kind of event is in a golden ledger, and every ledger has its summary', async () => {
  const kinds = new Set<string>();
  for (const name of names) for (const line of await linesOf(name)) kinds.add(decodeLine(line).kind);
  assert.equal([...kinds].sort(), [...EVENT_KINDS].sort());
  assert.equal(Object.keys(summaries).sort(), [...names].sort());
});

test.run();
