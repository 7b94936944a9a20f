/** Building blocks of SVG as text. Coordinates are in CSS pixels, rounded so that bytes do not depend on the machine. */

export type Attributes = Readonly<Record<string, string | number>>;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
// Characters that XML 1.0 cannot hold, escaped or not.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NOT_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu;

export const escapeXml = (text: string): string =>
  text.replace(NOT_XML, '\ufffd').replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character);

const attribute = (value: string | number): string =>
  typeof value === 'number' ? String(Math.round(value * 100) / 100 + 0) : escapeXml(value);

/** An element; children are SVG already. */
export function el(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${attribute(value)}"`);
  const open = `<${name}${written.join('')}`;
  return children.length === 0 ? `${open}/>` : `${open}>${children.join('')}</${name}>`;
}

export const group = (x: number, y: number, ...children: readonly string[]): string =>
  el('g', { transform: `translate(${attribute(x)} ${attribute(y)})` }, ...children);

export const rect = (x: number, y: number, width: number, height: number, attributes: Attributes): string =>
  el('rect', { x, y, width: Math.max(0, width), height: Math.max(0, height), ...attributes });

export const line = (x1: number, y1: number, x2: number, y2: number, attributes: Attributes): string =>
  el('line', { x1, y1, x2, y2, ...attributes });

export const circle = (cx: number, cy: number, r: number, attributes: Attributes): string =>
  el('circle', { cx, cy, r, ...attributes });

export const text = (x: number, y: number, content: string, attributes: Attributes = {}): string =>
  el('text', { x, y, ...attributes }, escapeXml(content));
