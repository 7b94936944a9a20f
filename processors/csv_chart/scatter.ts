import { max } from 'd3-array';
import { format } from 'd3-format';
import { type ScaleLinear, scaleLinear } from 'd3-scale';
import { countIntoBins } from '../csv_profile/statistics.ts';
import { pearson } from './correlation.ts';
import type { Grouping } from './grouping.ts';
import { count, number, valuesByGroup } from './histograms.ts';
import type { ChartModel, Measure } from './model.ts';
import { circle, el, group, line, rect, text } from './svg.ts';
import {
  ALARM,
  AXIS,
  fit,
  GRID,
  HEADER_HEIGHT,
  INK,
  MARGIN,
  MUTED,
  NEUTRAL,
  PAGE_WIDTH,
  PALETTE,
  page,
} from './theme.ts';

export const COLUMNS_MAX = 5;
const POINTS_MAX = 1000;
const AXIS_LEFT = 52;
const AXIS_BOTTOM = 46;
const GAP = 12;
const PADDING = 12;
const POINT_RADIUS = 2.8;

interface Frame {
  readonly measures: readonly Measure[];
  readonly grouping: Grouping;
  readonly size: number;
  /** Rows that are drawn: all, or an even sample of them. */
  readonly rows: readonly number[];
}

/** The columns with the strongest correlations, in the order of the table. */
export function chooseMeasures(measures: readonly Measure[], limit: number): Measure[] {
  const strength = measures.map((one) =>
    Math.max(0, ...measures.map((other) => (other === one ? 0 : Math.abs(pearson(one.values, other.values) ?? 0)))),
  );
  const ranked = measures.map((_, index) => index).sort((a, b) => (strength[b] ?? 0) - (strength[a] ?? 0) || a - b);
  const kept = new Set(ranked.slice(0, limit));
  return measures.filter((_, index) => kept.has(index));
}

function scale({ column }: Measure, from: number, to: number): ScaleLinear<number, number> {
  const room = column.max === column.min ? 0.5 : (column.max - column.min) * 0.04;
  return scaleLinear([column.min - room, column.max + room], [from, to]);
}

const xScale = (measure: Measure, size: number) => scale(measure, PADDING, size - PADDING);
const yScale = (measure: Measure, size: number) => scale(measure, size - PADDING, PADDING);

const box = (size: number, fill: string): string => rect(0, 0, size, size, { fill, stroke: GRID });

function scatterCell(frame: Frame, horizontal: Measure, vertical: Measure): string {
  const { size, grouping } = frame;
  const [x, y] = [xScale(horizontal, size), yScale(vertical, size)];
  const grid = [
    ...x.ticks(4).map((tick) => line(x(tick), 0, x(tick), size, { stroke: GRID })),
    ...y.ticks(4).map((tick) => line(0, y(tick), size, y(tick), { stroke: GRID })),
  ];
  const points: string[][] = grouping.groups.map(() => []);
  for (const row of frame.rows) {
    const [across, up] = [horizontal.values[row], vertical.values[row]];
    if (across === undefined || up === undefined) continue;
    points[grouping.groupOfRow[row] ?? 0]?.push(circle(x(across), y(up), POINT_RADIUS, {}));
  }
  const dots = points.map((list, index) =>
    list.length === 0 ? '' : el('g', { fill: grouping.groups[index]?.color ?? NEUTRAL, 'fill-opacity': 0.62 }, ...list),
  );
  return [box(size, '#ffffff'), ...grid, ...dots].join('');
}

/** The outline of each group's histogram, over one another, below the name of the column. */
function diagonalCell(frame: Frame, measure: Measure): string {
  const { size, grouping } = frame;
  const x = xScale(measure, size);
  const { edges } = measure;
  const counts = valuesByGroup(measure, grouping).map((values) => countIntoBins(values, edges));
  const y = scaleLinear([0, max(counts.flat()) ?? 1], [size - PADDING, 74]);
  const clamp = (value: number): number => Math.min(size - 1, Math.max(1, x(value)));
  const shapes = counts.map((list, index) => {
    if (list.every((height) => height === 0)) return '';
    const color = grouping.groups[index]?.color ?? NEUTRAL;
    const steps = list.map((height, bin) => {
      const [from, to] = [edges[bin] ?? 0, edges[bin + 1] ?? 0].map((edge) => clamp(edge).toFixed(1));
      const level = y(height).toFixed(1);
      return `L${from} ${level}L${to} ${level}`;
    });
    const ends = [edges[0] ?? 0, edges.at(-1) ?? 0].map((edge) => `${clamp(edge).toFixed(1)} ${y(0).toFixed(1)}`);
    const d = `M${ends[0]}${steps.join('')}L${ends[1]}Z`;
    return el('path', { d, fill: color, 'fill-opacity': 0.3, stroke: color, 'stroke-width': 1.5 });
  });
  return [
    box(size, '#f7f8fa'),
    ...shapes,
    line(1, y(0), size - 1, y(0), { stroke: AXIS }),
    text(14, 28, fit(measure.label, 16, size - 24), { 'font-size': 16, 'font-weight': 600 }),
    text(14, 48, measure.unit === '' ? '' : `in ${measure.unit}`, { 'font-size': 13, fill: MUTED }),
  ].join('');
}

const signed = format('+.2f');
const correlationText = (r: number | undefined): string =>
  r === undefined ? 'none' : signed(Math.round(r * 100) / 100 + 0);

function correlationCell(frame: Frame, one: Measure, other: Measure): string {
  const { size, grouping } = frame;
  const r = pearson(one.values, other.values);
  const tint = rect(0.5, 0.5, size - 1, size - 1, {
    fill: (r ?? 0) < 0 ? ALARM : PALETTE[0],
    'fill-opacity': 0.2 * Math.abs(r ?? 0),
  });
  const several = grouping.groups.length > 1;
  const listHeight = several ? grouping.groups.length * 20 : 0;
  const top = (size - listHeight) / 2;
  const within = (index: number): number | undefined => {
    const only = one.values.map((value, row) => (grouping.groupOfRow[row] === index ? value : undefined));
    return pearson(only, other.values);
  };
  const left = size / 2 - 68;
  const groups = several
    ? grouping.groups.map(({ label, color }, index) => {
        const y = top + 40 + index * 20;
        return [
          circle(left + 5, y - 4, 5, { fill: color }),
          text(left + 18, y, fit(label, 13, 78), { 'font-size': 13 }),
          text(left + 136, y, correlationText(within(index)), { 'font-size': 13, 'text-anchor': 'end' }),
        ].join('');
      })
    : [];
  return [
    box(size, '#ffffff'),
    tint,
    text(size / 2, top + 8, correlationText(r), {
      'text-anchor': 'middle',
      'font-size': 30,
      'font-weight': 700,
      fill: INK,
    }),
    ...groups,
  ].join('');
}

function axes(frame: Frame, cell: (index: number) => number): string[] {
  const { measures, size } = frame;
  const end = cell(measures.length - 1) + size;
  const parts: string[] = [];
  measures.forEach((measure, index) => {
    const label = measure.unit === '' ? measure.label : `${measure.label} (${measure.unit})`;
    const middle = cell(index) + size / 2;
    const x = xScale(measure, size);
    for (const tick of x.ticks(size < 240 ? 3 : 4)) {
      parts.push(text(cell(index) + x(tick), end + 18, number(tick), { 'text-anchor': 'middle', fill: MUTED }));
    }
    parts.push(text(middle, end + 38, fit(label, 12, size), { 'text-anchor': 'middle', 'font-weight': 600 }));
    // The first row of cells is a diagonal: its vertical axis counts rows, not values.
    if (index === 0) return;
    const y = yScale(measure, size);
    for (const tick of y.ticks(4)) {
      parts.push(text(-8, cell(index) + y(tick) + 4, number(tick), { 'text-anchor': 'end', fill: MUTED }));
    }
    parts.push(
      el(
        'g',
        { transform: `translate(${-AXIS_LEFT + 4} ${middle}) rotate(-90)` },
        text(0, 0, fit(label, 12, size), { 'text-anchor': 'middle', 'font-weight': 600 }),
      ),
    );
  });
  return parts;
}

/** An even sample keeps the file small; it does not depend on chance. */
export function sampleRows(rows: number, limit: number): number[] {
  const length = Math.min(rows, limit);
  return Array.from({ length }, (_, index) => Math.floor((index * rows) / length));
}

/** A scatter matrix: points below the diagonal, distributions on it, Pearson's r above it. */
export function drawScatter(model: ChartModel): string {
  const { grouping } = model;
  const measures = chooseMeasures(model.measures, COLUMNS_MAX);
  const title = 'How columns relate';
  if (measures.length < 2) {
    const subtitle = 'There are fewer than two columns of numbers, so there is nothing to relate.';
    return page({ title, subtitle, height: HEADER_HEIGHT });
  }
  const left = MARGIN + AXIS_LEFT;
  const available = PAGE_WIDTH - left - MARGIN;
  const size = Math.min(440, (available - (measures.length - 1) * GAP) / measures.length);
  const cell = (index: number): number => index * (size + GAP);
  const rows = sampleRows(model.rows, POINTS_MAX);
  const frame: Frame = { measures, grouping, size, rows };
  const cells = measures.flatMap((vertical, row) =>
    measures.map((horizontal, column) => {
      const content =
        row === column
          ? diagonalCell(frame, vertical)
          : row > column
            ? scatterCell(frame, horizontal, vertical)
            : correlationCell(frame, vertical, horizontal);
      return group(cell(column), cell(row), content);
    }),
  );
  const facts = [
    rows.length < model.rows ? `${count(rows.length)} of ${count(model.rows)} rows drawn` : `${count(model.rows)} rows`,
    measures.length < model.measures.length ? `${measures.length} of ${model.measures.length} numeric columns` : '',
    'above the diagonal: Pearson’s r',
    grouping.groups.length > 1 ? `of all rows, then by ${grouping.name}` : '',
  ];
  const height = HEADER_HEIGHT + cell(measures.length - 1) + size + AXIS_BOTTOM + MARGIN / 2;
  return page(
    { title, subtitle: facts.filter((fact) => fact !== '').join('  ·  '), height, grouping },
    group(left, HEADER_HEIGHT, ...cells, ...axes(frame, cell)),
  );
}
