/** Texts as they were before a program encoded them, each character with its place in the text that came. Pure. */

/** How many encodings may lie over each other. */
const MAX_LAYERS = 2;

/** A text, and where in the source its characters stand. */
export interface CodeView {
  readonly text: string;
  /** Where the source of a character begins. */
  from(index: number): number;
  /** Where the source of a character ends: the place after it. */
  to(index: number): number;
}

export const identityView = (text: string): CodeView => ({ text, from: (index) => index, to: (index) => index + 1 });

/** A view with every match replaced by shorter text; the same view when there is no match. */
function rewritten(view: CodeView, pattern: RegExp, replace: (match: RegExpExecArray) => string): CodeView {
  const { text } = view;
  const pieces: string[] = [];
  const starts = new Uint32Array(text.length);
  const ends = new Uint32Array(text.length);
  let length = 0;
  let copied = 0;
  const copyUpTo = (end: number): void => {
    pieces.push(text.slice(copied, end));
    for (let index = copied; index < end; index++) {
      starts[length] = view.from(index);
      ends[length++] = view.to(index);
    }
  };
  for (const match of text.matchAll(pattern)) {
    copyUpTo(match.index);
    copied = match.index + match[0].length;
    const replacement = replace(match);
    pieces.push(replacement);
    for (let count = 0; count < replacement.length; count++) {
      starts[length] = view.from(match.index);
      ends[length++] = view.to(copied - 1);
    }
  }
  if (copied === 0) return view;
  copyUpTo(text.length);
  return { text: pieces.join(''), from: (index) => starts[index] ?? 0, to: (index) => ends[index] ?? 0 };
}

const byte = (hex: string): string => String.fromCharCode(Number.parseInt(hex, 16));

const utf8 = (...units: readonly (string | undefined)[]): string => {
  const codes = units.flatMap((unit) => (unit === undefined ? [] : [Number.parseInt(unit, 16)]));
  return Buffer.from(String.fromCharCode(...codes), 'utf8').toString('latin1');
};

const ESCAPED: Readonly<Record<string, string>> = {
  ...{ n: '\n', r: '\r', t: '\t', b: '\b', f: '\f', v: '\v', '0': '\0' },
};

/** A surrogate pair, one unit, one byte, or one character, after its backslash. */
const ESCAPE =
  /\\(?:u([dD][89abAB][\da-fA-F]{2})\\u([dD][c-fC-F][\da-fA-F]{2})|u([\da-fA-F]{4})|x([\da-fA-F]{2})|([^ux]))/g;

const unescaped = (view: CodeView): CodeView =>
  rewritten(view, ESCAPE, ([, high, low, unit, hex, character]) => {
    if (hex !== undefined) return utf8(hex);
    if (character !== undefined) return ESCAPED[character] ?? character;
    return utf8(high ?? unit, low);
  });

/** Every `+` becomes a space, an encoded one too: whether it meant one is not known. */
const percentDecoded = (view: CodeView): CodeView =>
  rewritten(view, /%([\da-fA-F]{2})|\+/g, ([, hex]) => (hex === undefined ? ' ' : byte(hex).replace('+', ' ')));

/** Digits alone, in lower case: dumps set bytes apart and break lines. */
const hexDigits = (view: CodeView): CodeView =>
  rewritten(view, /[A-F]+|[ :\r\n]+/g, ([match]) => (/[A-F]/.test(match) ? match.toLowerCase() : ''));

/** In the usual alphabet with `plus` as its 62nd character, without line breaks. */
const base64Characters = (view: CodeView, plus: string): CodeView =>
  rewritten(view, /-|_|[\r\n]+/g, ([match]) => (match === '-' ? plus : match === '_' ? '/' : ''));

/** A `+` that comes out from below the URL-encoding, as of `%5Cu002B`, is a space like the others. */
const withSpaces = (view: CodeView): CodeView => ({ ...view, text: view.text.replaceAll('+', ' ') });

export interface DecodedView {
  readonly decoded: CodeView;
  /** Whether every `+` became a space on the way. */
  readonly hasSpaces: boolean;
  hex(): CodeView;
  base64(): CodeView;
}

/** The text as it is, and with up to two layers of escapes and URL-encoding taken off, in either order. */
export function decodedViews(source: CodeView): readonly DecodedView[] {
  const views = new Map<CodeView, boolean>([[source, false]]);
  let layer = [...views];
  for (let count = 0; count < MAX_LAYERS; count++) {
    const next = layer.flatMap(([view, hasSpaces]): [CodeView, boolean][] => [
      [unescaped(view), hasSpaces],
      [percentDecoded(view), true],
    ]);
    layer = next.filter(([view]) => !views.has(view));
    for (const [view, hasSpaces] of layer) views.set(view, hasSpaces);
  }
  return [...views].map(([view, hasSpaces]) => {
    const decoded = hasSpaces ? withSpaces(view) : view;
    return {
      decoded,
      hasSpaces,
      hex: () => hexDigits(decoded),
      base64: () => base64Characters(decoded, hasSpaces ? ' ' : '+'),
    };
  });
}
