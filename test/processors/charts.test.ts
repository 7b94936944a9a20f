import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { pearson } from '../../processors/csv_chart/correlation.ts';
import { drawHistograms, number, panelsPerRow } from '../../processors/csv_chart/histograms.ts';
import { drawMissing, missingShares } from '../../processors/csv_chart/missing.ts';
import { buildModel, splitUnit } from '../../processors/csv_chart/model.ts';
import { drawScatter, sampleRows } from '../../processors/csv_chart/scatter.ts';
import { fit, textWidth } from '../../processors/csv_chart/theme.ts';
import { profileTable } from '../../processors/csv_profile/profile.ts';
import { readTable } from '../../processors/csv_profile/table.ts';
import { html, raw } from '../../processors/report_html/html.ts';
import { count, figure } from '../../processors/report_html/report.ts';
import { suite } from '../harness/suite.ts';

const test = suite('charts');

function modelOf(csv: string, colorBy?: string) {
  const table = readTable(new TextEncoder().encode(csv));
  return buildModel(table, profileTable(table, { missingTokens: ['NA'], bins: 10 }), colorBy);
}

const draw = [drawHistograms, drawScatter, drawMissing];

test('every chart survives tables with nothing to draw', () => {
  for (const csv of ['a\n', 'a\n1\n', 'a,b\n1,1\n1,1\n', 'a\nNA\n', 'a,b\nx,1\ny,NA\n']) {
    for (const chart of draw) {
      const svg = chart(modelOf(csv));
      assert.match(svg, /^<svg .*<\/svg>\n$/s);
      assert.not.match(svg, /NaN|undefined|Infinity/);
    }
  }
});

test('names and values of a table cannot become markup', () => {
  const csv = `"<script>x</script>",b,k\n1,2,"<img src=""x"">&"\n2,3,"<img src=""x"">&"\n3,1,"\u0001"\n4,1,"\u0001"\n`;
  for (const chart of draw) {
    const svg = chart(modelOf(csv));
    assert.not.match(svg, /<script|<img/);
    assert.not.match(svg, /&(?!(amp|lt|gt|quot);)/);
    assert.is(svg.includes('\u0001'), false);
  }
  assert.match(drawHistograms(modelOf(csv)), /&lt;script&gt;x&lt;\/script&gt;/);
});

test('colours follow a column: the chosen one, else the first of few values', () => {
  const csv = `k,m\n${['a,x', 'b,x', 'a,y', 'b,y', 'NA,y'].join('\n')}\n`;
  assert.equal(
    modelOf(csv).grouping.groups.map(({ label }) => label),
    ['a', 'b', 'missing'],
  );
  assert.is(modelOf(csv, 'm').grouping.name, 'm');
  assert.throws(() => modelOf(csv, 'z'), /color_by/);
  const many = `k\n${[...'abcdefgh'].flatMap((letter) => [letter, letter]).join('\n')}\n`;
  assert.is(modelOf(many).grouping.groups.length, 1);
  assert.equal(
    modelOf(many, 'k').grouping.groups.map(({ label }) => label),
    ['a', 'b', 'c', 'd', 'e', 'other'],
  );
});

test('a profile of another table is refused', () => {
  const table = readTable(new TextEncoder().encode('a\n1\n'));
  const other = readTable(new TextEncoder().encode('b\n1\n'));
  const profile = profileTable(other, { missingTokens: [], bins: 10 });
  assert.throws(() => buildModel(table, profile, undefined), /do not belong together/);
});

test("Pearson's r is symmetric, within bounds, and blind to scale and offset", () => {
  const value = fc.integer({ min: -1000, max: 1000 });
  fc.assert(
    fc.property(fc.array(fc.tuple(value, value), { minLength: 3 }), (pairs) => {
      const [a, b] = [pairs.map(([x]) => x), pairs.map(([, y]) => y)];
      const r = pearson(a, b);
      assert.is(pearson(b, a), r);
      if (r === undefined) return;
      assert.ok(r >= -1 && r <= 1);
      const scaled = pearson(
        a.map((x) => 2 * x + 5),
        b,
      );
      assert.ok(Math.abs((scaled ?? 9) - r) < 1e-9);
      assert.ok(Math.abs((pearson(a, a) ?? 1) - 1) < 1e-9);
    }),
  );
  assert.is(pearson([1, 2, undefined, 4], [2, 4, 100, undefined]), undefined);
  assert.is(pearson([1, 1, 1], [1, 2, 3]), undefined);
});

test('helpers', () => {
  assert.equal(splitUnit('Body Mass (g)'), { label: 'Body Mass', unit: 'g' });
  assert.equal(splitUnit('(g)'), { label: '(g)', unit: '' });
  assert.is(panelsPerRow(4, 3), 4);
  assert.is(panelsPerRow(6, 3), 3);
  assert.equal(sampleRows(3, 10), [0, 1, 2]);
  assert.equal(sampleRows(1000, 4), [0, 250, 500, 750]);
  assert.equal(missingShares([true, false, true, true], 2), [0.5, 1]);
  assert.is(number(515_800_000), '515.8M');
  assert.is(number(0.25), '0.25');
  assert.ok(textWidth(fit('a very long label', 12, 60), 12) <= 60);
  assert.is(count(1234567), '1,234,567');
  assert.equal(
    [figure(4201.754386), figure(-1234.5), figure(17.15116959), figure(0), figure(1e-9)],
    ['4,202', '-1,235', '17.15', '0', '1.000e-9'],
  );
  assert.is(html`<p title="${'"<'}">${raw('<b>')}${'&'}</p>`.markup, '<p title="&quot;&lt;"><b>&amp;</p>');
});

test.run();
