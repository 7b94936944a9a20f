import pc from 'picocolors';

type Paint = (text: string) => string;

/** Colours (or none) and the width to keep to: all that rendering depends on beside its data. */
export interface Theme {
  readonly columns: number;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly good: Paint;
  readonly bad: Paint;
  readonly warn: Paint;
  readonly accent: Paint;
}

export function theme(colored: boolean, columns: number): Theme {
  const { bold, dim, green, red, yellow, cyan } = pc.createColors(colored);
  return { columns, bold, dim, good: green, bad: red, warn: yellow, accent: cyan };
}

/** One sign a meaning, each one column wide. */
export const GLYPH = {
  good: '✓',
  bad: '✗',
  start: '▸',
  retry: '↻',
  note: '·',
  warn: '!',
  open: '○',
} as const;
