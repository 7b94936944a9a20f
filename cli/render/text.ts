/** Quantities as people read them, and text that cannot harm a terminal. Pure. */

/** 5000 → `$0.005`: micro-dollars, without zeros that say nothing. */
export function money(usdMicro: number): string {
  const [whole = '0', digits = ''] = (usdMicro / 1_000_000).toFixed(6).split('.');
  return `$${whole}.${digits.replace(/0+$/, '').padEnd(2, '0')}`;
}

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = count / 1000;
  let unit = 0;
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

export function duration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
}

/** Seconds since the start of a timeline, as a column. */
export const elapsed = (ms: number): string => `${(Math.max(0, ms) / 1000).toFixed(2)} s`.padStart(9);

/** Enough of a CID to tell it from another; `--json` has the whole. */
export const shortCid = (cid: string): string => (cid.length > 20 ? `${cid.slice(0, 19)}…` : cid);

/** `2026-11-22T08:00:00.000Z` → `2026-11-22 08:00:00 UTC`. */
export const moment = (ts: string): string => `${ts.slice(0, 10)} ${ts.slice(11, 19)} UTC`;

/**
 * What steers a terminal (ECMA-48): strings of commands (OSC, such as a link) up to their end, then all that starts with
 * ESC or CSI. A string that another one interrupts is none, so no search goes further than the next ESC: that of Node 24's
 * `stripVTControlCharacters` goes to the end of the text from each, which costs the square.
 */
const STRING = String.raw`\x1b\][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)`;
const SEQUENCE = String.raw`[\x1b\x9b][[\]()#;?]*(?:\d{1,4}(?:;\d{0,4})*)?[\dA-PR-TZcf-nq-uy=><~]`;
const STEERS = new RegExp(`${STRING}|${SEQUENCE}`, 'g');

const withoutSequences = (text: string): string => text.replace(STEERS, '');

/** Text of a stranger on one line: without anything that moves a cursor, turns text around or hides. */
export const plain = (text: string): string =>
  withoutSequences(text)
    .replace(/[\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim();

/** {@link plain} for text that may have lines. */
export const plainLines = (text: string): string[] =>
  withoutSequences(text)
    .split(/\r?\n/)
    .map((line) =>
      line
        .replace(/\t/g, '  ')
        .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
        .trimEnd(),
    )
    .filter((line) => line !== '');

/** Cut to `width` columns; the cut is shown. */
export const fit = (text: string, width: number): string => {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`;
};

/** Broken between words to lines of at most `width` columns; a longer word is left whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && [...line].length + 1 + [...word].length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
