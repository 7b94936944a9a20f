import type { Grouping } from './grouping.ts';
import { circle, el, escapeXml, group, rect, text } from './svg.ts';

/** Charts are drawn for a page of this width. */
export const PAGE_WIDTH = 1200;
export const MARGIN = 40;
export const HEADER_HEIGHT = 136;

export const INK = '#1c2430';
export const MUTED = '#5b6675';
export const GRID = '#e6e9ee';
export const AXIS = '#9aa4b2';
export const PAPER = '#ffffff';
export const ALARM = '#d55e00';
export const NEUTRAL = '#98a1ad';

/** Okabe and Ito's palette, which stays distinct under all common forms of colour blindness. */
export const PALETTE = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#d55e00', '#56b4e9'] as const;

const FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";

/** Advance of a character of these fonts, in em, a little on the wide side: labels are laid out without glyph metrics. */
function advanceEm(character: string): number {
  if (/[iljtfrI.,:;'|!()[\] ]/.test(character)) return 0.34;
  if (/[\p{Lu}mwMW%@]/u.test(character)) return 0.72;
  // Scripts whose characters fill a square.
  return /[\u2e80-\uffef]/.test(character) ? 1 : 0.58;
}

/** Estimated width in pixels. */
export function textWidth(content: string, fontSize: number): number {
  return [...content].reduce((sum, character) => sum + advanceEm(character) * fontSize, 0);
}

/** Shortens a label that would be wider than `width` pixels. */
export function fit(content: string, fontSize: number, width: number): string {
  if (textWidth(content, fontSize) <= width) return content;
  const characters = [...content];
  while (characters.length > 1 && textWidth(`${characters.join('')}…`, fontSize) > width) characters.pop();
  return `${characters.join('').trimEnd()}…`;
}

const LEGEND_LABEL_WIDTH = 130;

function legend(grouping: Grouping): string {
  if (grouping.groups.length < 2) return '';
  const name = fit(grouping.name, 13, 180);
  const parts = [text(0, 0, name, { 'font-size': 13, 'font-weight': 600, fill: INK })];
  let x = textWidth(name, 13) + 22;
  for (const { label, color } of grouping.groups) {
    const shown = fit(label, 13, LEGEND_LABEL_WIDTH);
    parts.push(circle(x, -4.5, 6, { fill: color }), text(x + 12, 0, shown, { 'font-size': 13, fill: INK }));
    x += textWidth(shown, 13) + 36;
  }
  return group(MARGIN, 112, ...parts);
}

export interface PageOptions {
  readonly title: string;
  readonly subtitle: string;
  readonly height: number;
  readonly grouping?: Grouping;
}

/** A whole SVG document: white page, title, subtitle, legend and the given content below them. */
export function page(options: PageOptions, ...content: readonly string[]): string {
  const { title, subtitle, height, grouping } = options;
  return `${el(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${PAGE_WIDTH} ${Math.ceil(height)}`,
      width: PAGE_WIDTH,
      height: Math.ceil(height),
      role: 'img',
      'font-family': FONT,
      'font-size': 12,
      fill: INK,
    },
    el('title', {}, escapeXml(title)),
    rect(0, 0, PAGE_WIDTH, Math.ceil(height), { fill: PAPER }),
    text(MARGIN, 52, title, { 'font-size': 26, 'font-weight': 700 }),
    text(MARGIN, 78, subtitle, { 'font-size': 14, fill: MUTED }),
    grouping === undefined ? '' : legend(grouping),
    ...content,
  )}\n`;
}
