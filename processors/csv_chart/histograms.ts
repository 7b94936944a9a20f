import { max } from 'd3-array';
import { format } from 'd3-format';
import { scaleLinear } from 'd3-scale';
import { countIntoBins } from '../csv_profile/statistics.ts';
import type { Grouping } from './grouping.ts';
import type { Category, ChartModel, Measure } from './model.ts';
import { group, line, rect, text } from './svg.ts';
import { AXIS, fit, GRID, HEADER_HEIGHT, INK, MARGIN, MUTED, NEUTRAL, PAGE_WIDTH, page, textWidth } from './theme.ts';

const GAP_X = 40;
const GAP_Y = 34;
const MEASURE_HEIGHT = 270;
const PLOT = { left: 38, top: 48, bottom: MEASURE_HEIGHT - 40 } as const;
const BAR_STEP = 36;
const BAR_THICKNESS = 24;
const BARS_TOP = 34;
/** More panels than this make a poster, not a page. */
const PANELS_MAX = 24;
const BARS_MAX = 7;

export const count = format(',');

/** The values of each group, missing ones left out. */
export function valuesByGroup(measure: Measure, grouping: Grouping): number[][] {
  const lists: number[][] = grouping.groups.map(() => []);
  measure.values.forEach((value, row) => {
    if (value !== undefined) lists[grouping.groupOfRow[row] ?? 0]?.push(value);
  });
  return lists;
}

/** Short enough for an axis: plain, in millions and billions when large, in powers of ten when very small or very large. */
export function number(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e7 && size < 1e12) return format('.4~s')(value).replace('G', 'B');
  return size !== 0 && (size >= 1e12 || size < 1e-4) ? format('.3~e')(value) : format(',.6~g')(value);
}

function heading(title: string, note: string, width: number): string {
  const noteWidth = textWidth(note, 12);
  return [
    text(0, 14, fit(title, 15, width - noteWidth - 12), { 'font-size': 15, 'font-weight': 600 }),
    text(width, 14, note, { 'text-anchor': 'end', fill: MUTED }),
  ].join('');
}

function measurePanel(measure: Measure, grouping: Grouping, width: number): string {
  const { edges, column } = measure;
  const counts = valuesByGroup(measure, grouping).map((values) => countIntoBins(values, edges));
  const totals = edges.slice(1).map((_, bin) => counts.reduce((sum, list) => sum + (list[bin] ?? 0), 0));
  const [low, high] = [edges[0] ?? 0, edges.at(-1) ?? 1];
  // A column of one value still needs an axis.
  const domain = low === high ? [low - 0.5, high + 0.5] : [low, high];
  const x = scaleLinear(domain, [PLOT.left, width]);
  const y = scaleLinear([0, max(totals) ?? 1], [PLOT.bottom, PLOT.top]).nice(4);
  const parts: string[] = [];
  for (const tick of y.ticks(4).filter(Number.isInteger)) {
    parts.push(line(PLOT.left, y(tick), width, y(tick), { stroke: tick === 0 ? AXIS : GRID }));
    parts.push(text(PLOT.left - 8, y(tick) + 4, count(tick), { 'text-anchor': 'end', fill: MUTED }));
  }
  totals.forEach((_, bin) => {
    const [from, to] = low === high ? [low - 0.05, low + 0.05] : [edges[bin] ?? low, edges[bin + 1] ?? high];
    let base = 0;
    counts.forEach((list, index) => {
      const height = list[bin] ?? 0;
      const fill = grouping.groups[index]?.color ?? NEUTRAL;
      if (height > 0)
        parts.push(rect(x(from) + 0.5, y(base + height), x(to) - x(from) - 1, y(base) - y(base + height), { fill }));
      base += height;
    });
  });
  for (const tick of x.ticks(5).filter((at) => column.type === 'number' || Number.isInteger(at))) {
    parts.push(line(x(tick), PLOT.bottom, x(tick), PLOT.bottom + 5, { stroke: AXIS }));
    parts.push(text(x(tick), PLOT.bottom + 19, number(tick), { 'text-anchor': 'middle', fill: MUTED }));
  }
  const median = x(column.median);
  parts.push(
    line(median, PLOT.top - 6, median, PLOT.bottom, { stroke: INK, 'stroke-width': 1.5, 'stroke-dasharray': '4 3' }),
  );
  const unit = measure.unit === '' ? '' : ` ${measure.unit}`;
  parts.push(text(PLOT.left - 8, PLOT.top - 14, 'rows', { 'text-anchor': 'end', fill: MUTED, 'font-style': 'italic' }));
  const axisLabel = measure.unit === '' ? measure.label : measure.unit;
  parts.push(
    text((PLOT.left + width) / 2, PLOT.bottom + 37, fit(axisLabel, 12, width - 60), {
      'text-anchor': 'middle',
      fill: MUTED,
      'font-style': 'italic',
    }),
  );
  return heading(measure.label, `median ${number(column.median)}${unit}`, width) + parts.join('');
}

function categoryPanel({ column, values }: Category, grouping: Grouping, width: number): string {
  const folded = column.distinct > BARS_MAX;
  const shown = column.top.slice(0, folded ? BARS_MAX - 1 : BARS_MAX);
  const labels = [...shown.map(({ value }) => value), ...(folded ? [`${column.distinct - shown.length} others`] : [])];
  const indexOf = new Map(shown.map(({ value }, index) => [value, index]));
  const counts = labels.map(() => grouping.groups.map(() => 0));
  let present = 0;
  values.forEach((value, row) => {
    if (value === undefined) return;
    present += 1;
    const bar = counts[indexOf.get(value) ?? labels.length - 1];
    const index = grouping.groupOfRow[row] ?? 0;
    if (bar !== undefined) bar[index] = (bar[index] ?? 0) + 1;
  });
  const totals = counts.map((bar) => bar.reduce((sum, part) => sum + part, 0));
  const labelWidth = Math.min(110, Math.max(40, ...labels.map((label) => textWidth(label, 13)))) + 12;
  const x = scaleLinear([0, max(totals) ?? 1], [labelWidth, width - 88]);
  const parts = labels.map((label, row) => {
    const y = BARS_TOP + row * BAR_STEP + (BAR_STEP - BAR_THICKNESS) / 2;
    const total = totals[row] ?? 0;
    const share = present === 0 ? '' : ` · ${format('.0%')(total / present)}`;
    let base = 0;
    const bars = (counts[row] ?? []).map((part, index) => {
      const from = base;
      base += part;
      const fill = grouping.groups[index]?.color ?? NEUTRAL;
      return part === 0 ? '' : rect(x(from), y, x(base) - x(from) - 1, BAR_THICKNESS, { fill });
    });
    const middle = y + BAR_THICKNESS / 2 + 4.5;
    return [
      text(labelWidth - 10, middle, fit(label, 13, labelWidth - 8), { 'text-anchor': 'end', 'font-size': 13 }),
      ...bars,
      text(x(total) + 8, middle, `${count(total)}${share}`, { fill: MUTED }),
    ].join('');
  });
  parts.push(line(labelWidth, BARS_TOP, labelWidth, BARS_TOP + labels.length * BAR_STEP, { stroke: AXIS }));
  return heading(column.name, `${count(column.distinct)} values`, width) + parts.join('');
}

interface Panel {
  readonly height: number;
  readonly draw: (width: number) => string;
}

/** Three or four panels side by side, whichever leaves fewer gaps. */
export function panelsPerRow(measures: number, categories: number): number {
  const gaps = (perRow: number): number =>
    [measures, categories].reduce((sum, n) => sum + ((perRow - (n % perRow)) % perRow), 0);
  return gaps(4) < gaps(3) ? 4 : 3;
}

function rowsOf(panels: readonly Panel[], perRow: number): Panel[][] {
  const rows: Panel[][] = [];
  for (let first = 0; first < panels.length; first += perRow) rows.push(panels.slice(first, first + perRow));
  return rows;
}

/** Small multiples: a histogram of each numeric column, then bars of each column of categories. */
export function drawHistograms(model: ChartModel): string {
  const { grouping } = model;
  const measures = model.measures.slice(0, PANELS_MAX);
  const categories = model.categories.slice(0, PANELS_MAX - measures.length);
  const perRow = panelsPerRow(measures.length, categories.length);
  const width = (PAGE_WIDTH - 2 * MARGIN - (perRow - 1) * GAP_X) / perRow;
  const rows = [
    ...rowsOf(
      measures.map((measure) => ({ height: MEASURE_HEIGHT, draw: (room) => measurePanel(measure, grouping, room) })),
      perRow,
    ),
    ...rowsOf(
      categories.map((category) => ({
        height: BARS_TOP + Math.min(BARS_MAX, category.column.distinct) * BAR_STEP,
        draw: (room) => categoryPanel(category, grouping, room),
      })),
      perRow,
    ),
  ];
  let y = HEADER_HEIGHT;
  const drawn = rows.map((panels) => {
    const top = y;
    y += Math.max(...panels.map(({ height }) => height)) + GAP_Y;
    return panels.map(({ draw }, index) => group(MARGIN + index * (width + GAP_X), top, draw(width))).join('');
  });
  const undrawn = model.columns.length - measures.length - categories.length;
  const facts = [
    `${count(model.rows)} rows`,
    grouping.groups.length > 1 ? `coloured by ${grouping.name}` : '',
    measures.length > 0 ? 'a dashed line marks the median' : '',
    undrawn > 0 ? `not drawn: ${undrawn} of ${model.columns.length} columns` : '',
  ];
  return page(
    {
      title: 'How values are distributed',
      subtitle: facts.filter((fact) => fact !== '').join('  ·  '),
      height: y - GAP_Y + MARGIN,
      grouping,
    },
    ...(drawn.length > 0
      ? drawn
      : [text(MARGIN, HEADER_HEIGHT, 'No column of numbers or categories.', { fill: MUTED })]),
  );
}
