import { ERROR_TABLE, type ErrorRow, isErrorCode } from '../../shared/errors/codes.ts';
import { plain, plainLines, wrap } from './text.ts';
import type { Theme } from './theme.ts';

/** A fault of ours, or one that came out of the ledger, where codes are text. */
export interface ShownFault {
  readonly code: string;
  readonly message: string;
  readonly pointer?: string | undefined;
  readonly expected?: string | undefined;
}

const rowOf = (code: string): ErrorRow | undefined => (isErrorCode(code) ? ERROR_TABLE[code] : undefined);

/** A fault that ends a command: what, where, what was expected, and what to do. */
export function errorLines({ code, message, pointer, expected }: ShownFault, theme: Theme): string[] {
  const [first = '', ...rest] = plainLines(message);
  const row = rowOf(code);
  return [
    `${theme.bad(`error ${code}:`)} ${first}`,
    ...rest.map((line) => `  ${line}`),
    ...(pointer === undefined || pointer === '' ? [] : [`  at ${plain(pointer)}`]),
    ...(expected === undefined ? [] : [`  expected ${plain(expected)}`]),
    ...(row === undefined ? [] : [theme.dim(`  help: ${row.remedy}`)]),
  ];
}

/** The same for programs. */
export function errorDocument({ code, message, pointer, expected }: ShownFault): unknown {
  const row = rowOf(code);
  return { error: { code, message, pointer, expected, help: row?.remedy, retryable: row?.retryable } };
}

/** A fault among others, such as one of a rejected plan, on lines of at most `width` columns. */
export function faultLines({ code, message, pointer, expected }: ShownFault, theme: Theme, width: number): string[] {
  const place = pointer === undefined || pointer === '' ? '' : `at ${plain(pointer)}`;
  const wanted = expected === undefined ? '' : `expected ${plain(expected)}`;
  const about = [place, wanted].filter((part) => part !== '').join(', ');
  const [first = '', ...rest] = wrap(`${code} ${plain(message)}`, width);
  return [
    // A code holds no blank, so that it stands whole on the first line.
    theme.bad(code) + first.slice(code.length),
    ...rest.map((line) => `  ${line}`),
    ...(about === '' ? [] : wrap(about, width - 2).map((line) => theme.dim(`  ${line}`))),
  ];
}
