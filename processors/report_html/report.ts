import type { Profile, ProfileColumn } from '../csv_profile/profile.ts';
import { type Html, html, raw } from './html.ts';
import { STYLE } from './style.ts';

export interface Chart {
  readonly title: string;
  readonly svg: Uint8Array;
}

/** An artifact that the report was made from. */
export interface Source {
  readonly name: string;
  readonly path: string;
  readonly cid: string;
  readonly size: number;
}

export interface ReportContent {
  readonly title: string;
  readonly profile: Profile;
  readonly charts: readonly Chart[];
  readonly note: string | undefined;
  readonly sources: readonly Source[];
  /** Reference of the processor that wrote the report. */
  readonly processor: string;
}

const TOP_SHOWN = 4;
const FIGURE_DIGITS = 4;

/** No locale data involved: the same text on every machine. */
export const count = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

export function figure(value: number | null): string {
  if (value === null) return '–';
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-3)) return value.toExponential(FIGURE_DIGITS - 1);
  const digits =
    size >= 10 ** (FIGURE_DIGITS - 1) ? value.toFixed(0) : String(Number(value.toPrecision(FIGURE_DIGITS)));
  return digits.replace(/^(-?\d+)/, (whole) =>
    whole.startsWith('-') ? `-${count(-Number(whole))}` : count(Number(whole)),
  );
}

const percent = (part: number, whole: number): string => `${(whole === 0 ? 0 : (100 * part) / whole).toFixed(1)}%`;

function pairs(entries: readonly (readonly [string, string])[]): Html {
  return html`${entries.map(([name, value]) => html`<span><i>${name}</i> <b>${value}</b></span> `)}`;
}

function valuesCell(column: ProfileColumn): Html {
  switch (column.type) {
    case 'integer':
    case 'number':
      return pairs([
        ['min', figure(column.min)],
        ['median', figure(column.median)],
        ['max', figure(column.max)],
        ['mean', figure(column.mean)],
        ['sd', figure(column.stddev)],
      ]);
    case 'date':
      return pairs([
        ['from', column.min],
        ['to', column.max],
      ]);
    case 'boolean':
    case 'category':
      return html`${column.top.slice(0, TOP_SHOWN).map(({ value, count: rows }) => html`<span><b>${value}</b> <i>${count(rows)}</i></span> `)}${
        column.distinct > TOP_SHOWN ? html`<span><i>and ${count(column.distinct - TOP_SHOWN)} more</i></span>` : ''
      }`;
    case 'text': {
      const example = column.top[0]?.value;
      return example === undefined
        ? html`<span class="none">no values</span>`
        : pairs([['such as', example.slice(0, 80)]]);
    }
  }
}

function columnRow(column: ProfileColumn, rows: number): Html {
  const missing =
    column.missing === 0
      ? html`<span class="none">0</span>`
      : html`<span class="missing">${count(column.missing)}</span> <span class="none">${percent(column.missing, rows)}</span>`;
  return html`<tr><th scope="row">${column.name}</th><td><span class="type">${column.type}</span></td>
<td class="number">${missing}</td><td class="number">${count(column.distinct)}</td><td class="values">${valuesCell(column)}</td></tr>
`;
}

function summary({ rows, columns }: Profile): Html {
  const cells = rows * columns.length;
  const missing = columns.reduce((sum, column) => sum + column.missing, 0);
  const numeric = columns.filter(({ type }) => type === 'integer' || type === 'number').length;
  const complete = columns.filter((column) => column.missing === 0).length;
  const figures: readonly (readonly [string, string, string])[] = [
    ['Rows', count(rows), ''],
    ['Columns', count(columns.length), `${count(numeric)} numeric, ${count(columns.length - numeric)} other`],
    ['Missing cells', count(missing), `${percent(missing, cells)} of ${count(cells)}`],
    ['Complete columns', count(complete), `of ${count(columns.length)}`],
  ];
  return html`<dl class="figures">${figures.map(
    ([name, value, note]) =>
      html`<div><dt>${name}</dt><dd>${value}${note === '' ? '' : html`<small>${note}</small>`}</dd></div>`,
  )}</dl>`;
}

/** As an image a chart cannot run scripts, load anything, or clash with the page. */
function chartFigure({ title, svg }: Chart): Html {
  const data = Buffer.from(svg).toString('base64');
  return html`<figure><img alt="${title}" src="data:image/svg+xml;base64,${data}"></figure>
`;
}

function provenance(sources: readonly Source[], processor: string): Html {
  return html`<footer><h2>Where this comes from</h2>
<p>Written by <code>${processor}</code> from these artifacts. A CID is the BLAKE3 hash of the bytes: <code>b3sum</code> of a copy prints the same digits.</p>
<table><thead><tr><th scope="col">Input</th><th scope="col">Path and CID</th><th scope="col" class="number">Bytes</th></tr></thead>
<tbody>${sources.map(
    ({ name, path, cid, size }) =>
      html`<tr><th scope="row">${name}</th><td><code>${path}</code><br><code>${cid}</code></td><td class="number">${count(size)}</td></tr>
`,
  )}</tbody></table></footer>`;
}

/** One self-contained page: no scripts, no external resources, every text escaped. Pure. */
export function renderReport(content: ReportContent): string {
  const { title, profile, charts, note, sources, processor } = content;
  const origin = sources.find(({ name }) => name === 'table')?.path;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${title}</title>
<style>${raw(STYLE)}</style>
</head>
<body><main>
<header><h1>${title}</h1>${origin === undefined ? '' : html`<p class="lead">${origin}</p>`}
${summary(profile)}</header>
<section><h2>Columns</h2><div class="scroll"><table>
<thead><tr><th scope="col">Column</th><th scope="col">Type</th><th scope="col" class="number">Missing</th><th scope="col" class="number">Distinct</th><th scope="col">Values</th></tr></thead>
<tbody>${profile.columns.map((column) => columnRow(column, profile.rows))}</tbody></table></div></section>
${charts.length === 0 ? '' : html`<section><h2>Charts</h2>${charts.map(chartFigure)}</section>`}
${note === undefined ? '' : html`<section><h2>Note</h2><div class="note"><p>${note}</p></div></section>`}
${provenance(sources, processor)}
</main></body>
</html>
`.markup;
}
