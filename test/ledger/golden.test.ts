import { readdir, readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { decodeLine } from '../../shared/ledger/envelope.ts';
import { EVENT_KINDS } from '../../shared/ledger/events.ts';
import { fold } from '../../shared/ledger/evolve.ts';
import { understood } from '../../shared/ledger/meaning.ts';
import { knownReading } from '../../shared/ledger/reading.ts';
import { Verifier } from '../../shared/ledger/verify.ts';
import { newestVersion } from '../../shared/ledger/versions.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import { rowsOf } from '../../shared/projection/rows.ts';
import {
  type AnyRow,
  columnsOf,
  encodeCell,
  keyColumns,
  TABLE_NAMES,
  type TableName,
} from '../../shared/projection/tables.ts';
import { suite } from '../harness/suite.ts';
import { summarize } from './golden/summary.ts';

const test = suite('golden ledgers');

const FOLDER = new URL('./golden/', import.meta.url);
const textOf = (path: string): Promise<string> => readFile(new URL(path, FOLDER), 'utf8');
const linesOf = async (path: string): Promise<string[]> => (await textOf(path)).trimEnd().split('\n');

const VERSIONS = (await readdir(FOLDER)).filter((name) => /^v\d+$/.test(name)).sort();

async function namesOf(version: string): Promise<string[]> {
  const files = await readdir(new URL(`${version}/`, FOLDER));
  return files.filter((name) => name.endsWith('.ndjson')).map((name) => name.slice(0, -'.ndjson'.length));
}

for (const version of VERSIONS) {
  const names = await namesOf(version);
  const summaries = JSON.parse(await textOf(`${version}/summaries.json`)) as Record<string, unknown>;

  for (const name of names) {
    const lines = await linesOf(`${version}/${name}.ndjson`);

    test(`${version}: ${name} verifies and folds to its summary`, () => {
      const verifier = new Verifier();
      for (const [index, line] of lines.entries()) verifier.line(line, `line ${index + 1}`);
      const { findings, plans } = verifier.verdict();
      assert.equal(findings, []);
      assert.equal(
        plans.map(({ planId, complete, standing }) => [planId, complete, standing.kind]),
        [[name, true, 'known']],
      );
      const events = lines.map((line) => understood(decodeLine(line)));
      assert.equal(summarize(fold(name, events)), summaries[name]);
    });

    test(`${version}: ${name} is written as the same bytes`, () => {
      for (const line of lines) assert.is(canonicalText(decodeLine(line)), line);
    });
  }

  test(`${version}: every ledger has its summary`, () => {
    assert.equal(Object.keys(summaries).sort(), [...names].sort());
  });
}

test('every kind of event is in a golden ledger in its newest version, and in those before it', async () => {
  const found = new Set<string>();
  for (const version of VERSIONS) {
    for (const name of await namesOf(version)) {
      for (const line of await linesOf(`${version}/${name}.ndjson`)) {
        const { kind, v } = decodeLine(line);
        found.add(`${kind} ${v}`);
      }
    }
  }
  const all = EVENT_KINDS.flatMap((kind) =>
    [...Array(newestVersion(kind)).keys()].map((before) => `${kind} ${before + 1}`),
  );
  assert.equal([...found].sort(), all.sort());
});

const DEMO = 'v1/demo/';
type Stored = Partial<Record<TableName, readonly AnyRow[]>>;

/** Postgres prints a time with `+00:00`, and without the zeros at the end of a second. */
const printed = (value: AnyRow[string]): AnyRow[string] =>
  typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/.test(value) ? new Date(value).toISOString() : value;

const keyOf = (table: TableName, row: AnyRow): string => JSON.stringify(keyColumns(table).map((name) => row[name]));

test('a ledger that 8ebb686 wrote verifies, and its plans project to the rows that 8ebb686 projected', async () => {
  const document = JSON.parse(await textOf(`${DEMO}penguins-v1.admitted.json`)) as AdmittedPlan;
  const stored = JSON.parse(await textOf(`${DEMO}rows.json`)) as Stored;
  const verifier = new Verifier();
  const plans: Record<string, AdmittedPlan | undefined> = { 'penguins-v1': document, 'rejected-v1': undefined };
  const rows = [];
  for (const [planId, plan] of Object.entries(plans)) {
    const lines = await linesOf(`${DEMO}${planId}.ndjson`);
    for (const [index, line] of lines.entries()) verifier.line(line, `line ${index + 1}`);
    const events = lines.map((line) => understood(decodeLine(line)));
    rows.push(rowsOf(knownReading(fold(planId, events)), plan));
  }
  assert.equal(verifier.verdict().findings, []);
  for (const table of TABLE_NAMES) {
    const ours = new Map(rows.flatMap((one) => one[table] as readonly AnyRow[]).map((row) => [keyOf(table, row), row]));
    // 8ebb686 had no table of standings: every plan of then is known to its end.
    const theirs = stored[table] ?? [];
    assert.is(ours.size, theirs.length, table);
    for (const row of theirs) {
      const columns = columnsOf(table).filter(([name]) => Object.hasOwn(row, name));
      assert.is(columns.length, Object.keys(row).length, `${table} keeps its columns`);
      for (const [name, type] of columns) {
        const found = encodeCell(type, ours.get(keyOf(table, row))?.[name] ?? null);
        const value = row[name] ?? null;
        const expected = value === null ? null : encodeCell(type, printed(value));
        assert.is(found, expected, `${table} ${keyOf(table, row)} ${name}`);
      }
    }
  }
});

test.run();
