import type { Theme } from './theme.ts';

export interface Cell {
  readonly text: string;
  readonly paint?: (text: string) => string;
}

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

const widthOf = (text: string): number => [...text].length;

function pad(text: string, width: number, align: Column['align']): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)));
  return align === 'right' ? blanks + text : text + blanks;
}

/** Rows under aligned titles, two blanks between columns, indented by two. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly (string | Cell)[])[],
  theme: Theme,
): string[] {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'string' ? { text: cell } : cell)));
  const widths = columns.map(({ title }, index) =>
    Math.max(widthOf(title), ...cells.map((row) => widthOf(row[index]?.text ?? ''))),
  );
  const line = (parts: readonly Cell[]): string => {
    const padded = columns.map(({ align }, index) => {
      const { text = '', paint = (same: string) => same } = parts[index] ?? {};
      return paint(pad(text, widths[index] ?? 0, align));
    });
    return `  ${padded.join('  ')}`.trimEnd();
  };
  return [line(columns.map(({ title }) => ({ text: title, paint: theme.dim }))), ...cells.map(line)];
}
