import { mean } from 'd3-array';

/** Pearson's r over the rows where both are present; undefined below three such rows or without spread. */
export function pearson(a: readonly (number | undefined)[], b: readonly (number | undefined)[]): number | undefined {
  const pairs: [number, number][] = [];
  a.forEach((x, row) => {
    const y = b[row];
    if (x !== undefined && y !== undefined) pairs.push([x, y]);
  });
  const meanX = mean(pairs, ([x]) => x) ?? 0;
  const meanY = mean(pairs, ([, y]) => y) ?? 0;
  let [product, squareX, squareY] = [0, 0, 0];
  for (const [x, y] of pairs) {
    product += (x - meanX) * (y - meanY);
    squareX += (x - meanX) ** 2;
    squareY += (y - meanY) ** 2;
  }
  const scale = Math.sqrt(squareX) * Math.sqrt(squareY);
  if (pairs.length < 3 || scale === 0 || !Number.isFinite(scale)) return undefined;
  return Math.min(1, Math.max(-1, product / scale));
}
