/** Where a text that is no JSON stops being JSON: what a JSON parser says of it differs from one version to the next. Pure. */

const BLANK = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
/** All but quotes, backslashes and control characters. */
const PLAIN = /[ !#-[\]-\uffff]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** The end of what matches at `at`; `at` where nothing does. */
function after(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

interface Step {
  readonly at: number;
  readonly ok: boolean;
}

/** A string that begins at `start`: its end, or where it is none. */
function stringFrom(text: string, start: number): Step {
  for (let at = start + 1; ; ) {
    at = after(PLAIN, text, at);
    if (text[at] === '"') return { at: at + 1, ok: true };
    const next = after(ESCAPE, text, at);
    if (next === at) return { at, ok: false };
    at = next;
  }
}

/** A number or a word: its end, or where it is none. */
function scalarFrom(text: string, start: number): Step {
  const at = Math.max(after(NUMBER, text, start), after(WORD, text, start));
  return { at, ok: at > start };
}

type Awaited = 'value' | 'value or end' | 'name' | 'name or end' | 'colon' | 'comma or end';

/** @returns the offset of the first character that no JSON has there, or the end of a text that is JSON or its beginning */
export function endOfJson(text: string): number {
  const open: ('{' | '[')[] = [];
  let awaited: Awaited = 'value';
  for (let at = after(BLANK, text, 0); at < text.length; at = after(BLANK, text, at)) {
    const character = text[at];
    const closes = open.at(-1) === '{' ? '}' : ']';
    if (awaited.endsWith('end') && open.length > 0 && character === closes) {
      open.pop();
      awaited = 'comma or end';
      at += 1;
    } else if (awaited === 'comma or end') {
      if (character !== ',' || open.length === 0) return at;
      awaited = open.at(-1) === '{' ? 'name' : 'value';
      at += 1;
    } else if (awaited === 'colon') {
      if (character !== ':') return at;
      awaited = 'value';
      at += 1;
    } else if (awaited.startsWith('value') && (character === '{' || character === '[')) {
      open.push(character);
      awaited = character === '{' ? 'name or end' : 'value or end';
      at += 1;
    } else {
      const isName = awaited.startsWith('name');
      if (isName && character !== '"') return at;
      const step = character === '"' ? stringFrom(text, at) : scalarFrom(text, at);
      if (!step.ok) return step.at;
      awaited = isName ? 'colon' : 'comma or end';
      at = step.at;
    }
  }
  return text.length;
}
