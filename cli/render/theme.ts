import { styleText } from 'node:util';

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
  const paint =
    (style: Parameters<typeof styleText>[0]): Paint =>
    (text) =>
      // The caller has decided: this terminal's own settings are no second opinion.
      colored && text !== '' ? styleText(style, text, { validateStream: false }) : text;
  return {
    columns,
    bold: paint('bold'),
    dim: paint('dim'),
    good: paint('green'),
    bad: paint('red'),
    warn: paint('yellow'),
    accent: paint('cyan'),
  };
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
