import { bisectRight, deviation, fsum, nice, quantileSorted, ticks } from 'd3-array';

/** Values from `from` up to, but without, `to`; the last bin of a histogram includes `to`. */
export interface Bin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

export interface Summary {
  readonly min: number;
  readonly q1: number;
  readonly median: number;
  readonly q3: number;
  readonly max: number;
  readonly mean: number;
  /** Of the sample (n - 1); null below two values. */
  readonly stddev: number | null;
}

const SIGNIFICANT_DIGITS = 10;

/** Ten significant digits: more than data holds, fewer than processors of different makes agree on. */
export const round = (value: number): number => Number(value.toPrecision(SIGNIFICANT_DIGITS)) + 0;

/** Undefined for no values. Quartiles interpolate linearly (type 7 of Hyndman and Fan, as R and NumPy do). */
export function summarise(values: readonly number[]): Summary | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) return undefined;
  const quantile = (p: number): number => round(quantileSorted(sorted, p) ?? min);
  const spread = deviation(sorted);
  return {
    min,
    q1: quantile(0.25),
    median: quantile(0.5),
    q3: quantile(0.75),
    max,
    mean: round(fsum(sorted) / sorted.length),
    stddev: spread === undefined ? null : round(spread),
  };
}

/** Ascending edges at round numbers that cover `min` to `max` with about `bins` bins. */
export function histogramEdges(min: number, max: number, bins: number): number[] {
  if (min === max) return [min, max];
  const [low, high] = nice(min, max, bins);
  const edges = ticks(low, high, bins).filter((edge, index, all) => index === 0 || edge > (all[index - 1] ?? edge));
  const covers = edges.length >= 2 && (edges[0] ?? max) <= min && (edges.at(-1) ?? min) >= max;
  // Values that differ only in their last bits leave no room for round edges.
  return covers ? edges : [min, max];
}

/** Edges for whole numbers: one bin a number when they are few, so that no bin holds two and its neighbour none. */
export function integerEdges(min: number, max: number, bins: number): number[] {
  const span = max - min;
  const halvesExist = Math.max(Math.abs(min), Math.abs(max)) < 2 ** 51;
  if (span < bins && halvesExist) return Array.from({ length: span + 2 }, (_, index) => min - 0.5 + index);
  return histogramEdges(min, max, bins);
}

/** How many values lie in each bin of ascending `edges`; values outside are not counted. */
export function countIntoBins(values: readonly number[], edges: readonly number[]): number[] {
  const counts = new Array<number>(Math.max(0, edges.length - 1)).fill(0);
  const last = edges.at(-1) ?? Number.NaN;
  for (const value of values) {
    const index = value === last ? counts.length - 1 : bisectRight(edges, value) - 1;
    if (index >= 0 && index < counts.length) counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts;
}

/** Bins that hold every value once. `whole` says that all values are whole numbers. */
export function histogram(values: readonly number[], bins: number, whole = false): Bin[] {
  const summary = summarise(values);
  if (summary === undefined) return [];
  const edges = (whole ? integerEdges : histogramEdges)(summary.min, summary.max, bins);
  return countIntoBins(values, edges).map((count, index) => ({
    from: edges[index] ?? summary.min,
    to: edges[index + 1] ?? summary.max,
    count,
  }));
}
