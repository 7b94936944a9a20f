import { format } from 'd3-format';
import { scaleLinear } from 'd3-scale';
import { count, number } from './histograms.ts';
import type { ChartModel } from './model.ts';
import { group, line, rect, text } from './svg.ts';
import { ALARM, AXIS, fit, MARGIN, MUTED, PAGE_WIDTH, page } from './theme.ts';

const TOP = 116;
const STEP = 40;
const STRIP_HEIGHT = 24;
const LABEL_WIDTH = 220;
const TOTAL_WIDTH = 120;
const STRIP_LEFT = MARGIN + LABEL_WIDTH;
const STRIP_RIGHT = PAGE_WIDTH - MARGIN - TOTAL_WIDTH;
/** A strip has at most this many marks; in longer tables one mark stands for several rows. */
const MARKS_MAX = 390;
const MARK_OPACITY_MIN = 0.3;
const COLUMNS_MAX = 60;

const percent = (part: number, whole: number): string => (whole === 0 ? '0%' : format('.1%')(part / whole));

/** The share of missing rows in each of `marks` equal stretches of a column. */
export function missingShares(missing: readonly boolean[], marks: number): number[] {
  return Array.from({ length: marks }, (_, mark) => {
    const [from, to] = [mark, mark + 1].map((edge) => Math.floor((edge * missing.length) / marks));
    const stretch = missing.slice(from, to);
    return stretch.length === 0 ? 0 : stretch.filter(Boolean).length / stretch.length;
  });
}

/** One strip a column, first row at the left: where values are missing, and how many. */
export function drawMissing(model: ChartModel): string {
  const { rows } = model;
  const columns = model.columns.slice(0, COLUMNS_MAX);
  const x = scaleLinear([0, Math.max(1, rows)], [STRIP_LEFT, STRIP_RIGHT]);
  const strips = columns.map(({ name, missing }, index) => {
    const total = missing.filter(Boolean).length;
    const marks = missingShares(missing, Math.min(rows, MARKS_MAX)).map((share, mark, all) => {
      const width = (STRIP_RIGHT - STRIP_LEFT) / all.length;
      const opacity = MARK_OPACITY_MIN + (1 - MARK_OPACITY_MIN) * share;
      const look = { fill: ALARM, ...(share < 1 ? { 'fill-opacity': opacity } : {}) };
      return share === 0 ? '' : rect(STRIP_LEFT + mark * width, 0, width, STRIP_HEIGHT, look);
    });
    const summary = total === 0 ? 'complete' : `${count(total)} · ${percent(total, rows)}`;
    return group(
      0,
      TOP + index * STEP,
      text(STRIP_LEFT - 16, 17, fit(name, 14, LABEL_WIDTH - 20), { 'text-anchor': 'end', 'font-size': 14 }),
      rect(STRIP_LEFT, 0, STRIP_RIGHT - STRIP_LEFT, STRIP_HEIGHT, { fill: '#dfe9f1' }),
      ...marks,
      text(STRIP_RIGHT + 16, 17, summary, {
        'font-size': 14,
        ...(total === 0 ? { fill: MUTED } : { 'font-weight': 600 }),
      }),
    );
  });
  const bottom = TOP + (columns.length - 1) * STEP + STRIP_HEIGHT;
  const ticks = [...new Set([1, ...x.ticks(6).filter((tick) => tick > 0 && tick < rows * 0.95), rows])];
  const axis = ticks.map((row) => {
    const middle = x(row - 0.5);
    return (
      line(middle, bottom + 6, middle, bottom + 11, { stroke: AXIS }) +
      text(middle, bottom + 26, number(row), { 'text-anchor': 'middle', fill: MUTED })
    );
  });
  const holes = model.columns.map(({ missing }) => missing.filter(Boolean).length).reduce((sum, part) => sum + part, 0);
  const cells = rows * model.columns.length;
  const whole = Array.from({ length: rows }, (_, row) => row).filter((row) =>
    model.columns.every(({ missing }) => missing[row] === false),
  ).length;
  const facts = [
    `${count(holes)} of ${count(cells)} cells are missing (${percent(holes, cells)})`,
    `${count(whole)} of ${count(rows)} rows are complete`,
    columns.length < model.columns.length ? `first ${columns.length} of ${model.columns.length} columns` : '',
  ];
  return page(
    {
      title: 'Where values are missing',
      subtitle: facts.filter((fact) => fact !== '').join('  ·  '),
      height: bottom + 70,
    },
    ...strips,
    ...axis,
    text((STRIP_LEFT + STRIP_RIGHT) / 2, bottom + 46, 'row of the table', {
      'text-anchor': 'middle',
      'font-style': 'italic',
      fill: MUTED,
    }),
  );
}
