import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { profileTable } from '../../processors/csv_profile/profile.ts';
import { round } from '../../processors/csv_profile/statistics.ts';
import { detectDelimiter, readTable } from '../../processors/csv_profile/table.ts';
import { BadInputError } from '../../processors/sdk/index.ts';
import { suite } from '../harness/suite.ts';

const test = suite('profile table');
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = (text: string) => readTable(bytes(text));
const quoted = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;

test('cells survive quoting, whatever is in them', () => {
  // Surrounding space is not part of a cell, and an empty line is no row.
  const cell = fc.string({ unit: 'binary' }).map((text) => `|${text.replace(/[\r\n]/g, '↵')}|`);
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell), { maxLength: 20 }), (rows) => {
      const table = read(['a,b', ...rows.map((row) => row.map(quoted).join(','))].join('\r\n'));
      assert.is(table.rows, rows.length);
      assert.equal(
        table.columns.map(({ cells }) => cells),
        [rows.map(([first]) => first), rows.map(([, second]) => second)],
      );
    }),
  );
});

test('finds the delimiter from the header, not from quoted text', () => {
  assert.is(detectDelimiter('a;b\n1,5;2,5'), ';');
  assert.is(detectDelimiter('a\tb'), '\t');
  assert.is(detectDelimiter('"x;y;z",b\n'), ',');
  assert.is(detectDelimiter('alone'), ',');
});

test('a byte order mark and an absent last line feed do not matter', () => {
  assert.equal(read('\ufeffa,b\n1,2'), read('a,b\n1,2\n'));
});

test('says which line is wrong', () => {
  const cases = [
    ['', /empty/],
    ['a,b\n1,2\n1,2,3\n', /^row 2 \(line 3\) has 3 fields, but the header has 2$/],
    ['a,b\n\n"1\n1",2\n3\n', /^row 2 \(line 5\) has 1 fields/],
    ['a,b\n1,"2\n', /line/],
    ['a,b\n1,2"x"\n', /line 2/],
  ] as const;
  for (const [text, message] of cases) {
    try {
      read(text);
      assert.unreachable(JSON.stringify(text));
    } catch (thrown) {
      assert.instance(thrown, BadInputError);
      assert.match((thrown as BadInputError).message, message);
    }
  }
  assert.throws(() => readTable(Uint8Array.of(0x61, 0xff)), /not UTF-8/);
});

test('profiles each type of column', () => {
  const table = read(
    'n,d,b,k,t,e\n1,2026-02-01,yes,x,one,NA\n1.0,2026-01-01,no,x,two,\n2,NA,YES,y,three,NA\n4,2026-01-01,no,y,four,NA\n',
  );
  const { columns, ...rest } = profileTable(table, { missingTokens: ['NA'], bins: 3 });
  assert.equal(rest, { rows: 4, delimiter: ',', missing_tokens: ['NA'] });
  const [n, d, b, k, t, e] = columns;
  assert.equal(n, {
    name: 'n',
    missing: 0,
    distinct: 3,
    top: [
      { value: '1', count: 2 },
      { value: '2', count: 1 },
      { value: '4', count: 1 },
    ],
    type: 'number',
    min: 1,
    q1: 1,
    median: 1.5,
    q3: 2.5,
    max: 4,
    mean: 2,
    stddev: round(Math.SQRT2),
    histogram: [
      { from: 1, to: 2, count: 2 },
      { from: 2, to: 3, count: 1 },
      { from: 3, to: 4, count: 1 },
    ],
  });
  assert.equal([d?.type, d?.missing, d?.distinct], ['date', 1, 2]);
  assert.ok(d?.type === 'date');
  assert.equal([d.min, d.max], ['2026-01-01', '2026-02-01']);
  assert.equal([b?.type, b?.distinct], ['boolean', 2]);
  assert.equal([k?.type, t?.type, e?.type, e?.missing], ['category', 'text', 'text', 4]);
});

test('columns without a name, or with that of another, are called by their position, with a note', () => {
  const { columns, notes } = readTable(new TextEncoder().encode(',id,value,id\n0,a,1,x\n1,b,2,y\n'));
  assert.equal(
    columns.map(({ name }) => name),
    ['column_1', 'id', 'value', 'column_4'],
  );
  assert.equal(notes, [
    'column 1 has no name: it is called column_1 here',
    'column 4 is named "id" like column 2: it is called column_4 here',
  ]);
  const crowded = readTable(new TextEncoder().encode('column_2,,column_2_\n1,2,3\n'));
  assert.equal(
    crowded.columns.map(({ name }) => name),
    ['column_2', 'column_2__', 'column_2_'],
  );
  assert.equal(readTable(new TextEncoder().encode('a,b\n1,2\n')).notes, []);
});

test.run();
