/** JSON that everybody reads alike (I-JSON, RFC 7493): one member a name, numbers that a double holds, bounded depth. Pure. */
import { type Fault, fault } from '../errors/isomorph-error.ts';
import { jsonDepth } from './json-depth.ts';

export type ReadResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Objects and arrays in each other. A plan has eight levels of its own; the rest is for params and schemas. */
export const MAX_JSON_DEPTH = 128;

/** A reader of 20 faults has enough to work on. */
const MAX_FAULTS = 20;

/** No double needs more digits to be told from its neighbours; a longer number was made to be long. */
const MAX_NUMBER_CHARACTERS = 400;

const ZERO = 48;

/** Digits without zeros at either end and the power of ten behind them: equal for equal numbers. */
function decimal(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = `${whole}${fraction}`;
  let first = 0;
  while (digits.charCodeAt(first) === ZERO) first += 1;
  let end = digits.length;
  while (end > first && digits.charCodeAt(end - 1) === ZERO) end -= 1;
  if (first === end) return '0';
  return `${sign}${digits.slice(first, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}

/** Whether a double holds the number that is written: what was written is what is read. */
export function survivesDouble(text: string): boolean {
  if (text.length > MAX_NUMBER_CHARACTERS) return false;
  const value = Number(text);
  return Number.isFinite(value) && decimal(text) === decimal(String(value));
}

const escapePointer = (token: string): string => token.replaceAll('~', '~0').replaceAll('/', '~1');

/** One object or array that is being read. */
interface Frame {
  readonly parent: Frame | undefined;
  /** Names so far; undefined in an array. */
  readonly names: Set<string> | undefined;
  /** The next value's token of the pointer. */
  token: string;
  index: number;
}

/** Where the value is that is being read, or in an object the member. */
function pointerTo(frame: Frame | undefined): string {
  if (frame === undefined) return '';
  return `${pointerTo(frame.parent)}/${frame.names === undefined ? frame.index : escapePointer(frame.token)}`;
}

const QUOTE = 34;
const BACKSLASH = 92;

const OPENING_BRACE = 123;
const OPENING_BRACKET = 91;
const CLOSING_BRACE = 125;
const CLOSING_BRACKET = 93;
const COMMA = 44;
const MINUS = 45;
const NINE = 57;

/** The end of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at += 1;
  }
  return text.length;
}

/** Whether a character can be of a number: a digit, or one of `+-.eE`. */
const isOfNumber = (code: number): boolean =>
  (code >= ZERO && code <= NINE) || code === MINUS || code === 43 || code === 46 || code === 69 || code === 101;

function endOfNumber(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && isOfNumber(text.charCodeAt(at))) at += 1;
  return at;
}

/** Every whole number of so many digits is a double's. */
const SAFE_DIGITS = /^-?\d{1,15}$/;

/** Half a character can stand in JSON only as an escape. */
const isWellFormed = (token: string): boolean =>
  !/\\u[dD][89a-fA-F]/.test(token) || (JSON.parse(token) as string).isWellFormed();

/** The text of a string's token; most hold no escape. */
const textOf = (token: string): string =>
  token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, token.length - 1);

/**
 * Finds what two readers would take differently, in one pass over a text that JSON.parse has taken. Character by character:
 * whoever sends a text decides how many tokens it has, and nobody else waits for them.
 */
class Differences {
  readonly faults: Fault[] = [];
  readonly #text: string;
  readonly #frames: Frame[] = [];
  #isName = false;

  constructor(text: string) {
    this.#text = text;
  }

  find(): readonly Fault[] {
    for (let at = 0; at < this.#text.length && this.faults.length < MAX_FAULTS; ) at = this.#next(at);
    return this.faults;
  }

  /** @returns where the next token may begin */
  #next(at: number): number {
    const code = this.#text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(this.#text, at);
      this.#string(this.#text.slice(at, end));
      return end;
    }
    if (code === MINUS || (code >= ZERO && code <= NINE)) {
      const end = endOfNumber(this.#text, at);
      this.#number(this.#text.slice(at, end));
      return end;
    }
    this.#mark(code);
    return at + 1;
  }

  #mark(code: number): void {
    if (code === OPENING_BRACE || code === OPENING_BRACKET) {
      const isObject = code === OPENING_BRACE;
      this.#frames.push({ parent: this.#frames.at(-1), names: isObject ? new Set() : undefined, token: '', index: 0 });
      this.#isName = isObject;
    } else if (code === CLOSING_BRACE || code === CLOSING_BRACKET) {
      this.#frames.pop();
      this.#isName = false;
    } else if (code === COMMA) {
      const frame = this.#frames.at(-1);
      if (frame !== undefined) frame.index += 1;
      this.#isName = frame?.names !== undefined;
    }
  }

  #string(token: string): void {
    const frame = this.#frames.at(-1);
    const isName = this.#isName;
    this.#isName = false;
    if (!isWellFormed(token)) {
      const expected = 'Unicode text without lone surrogates';
      this.#tell('a text with half a character', isName ? pointerTo(frame?.parent) : pointerTo(frame), expected);
      return;
    }
    if (!isName || frame?.names === undefined) return;
    frame.token = textOf(token);
    if (frame.names.has(frame.token)) this.#tell('the member is there twice', pointerTo(frame), 'one member a name');
    frame.names.add(frame.token);
  }

  #number(token: string): void {
    if (SAFE_DIGITS.test(token) || survivesDouble(token)) return;
    const near = Number(token.slice(0, MAX_NUMBER_CHARACTERS));
    const expected = `a number that a double holds${Number.isFinite(near) ? `, such as ${near}` : ''}, or a string`;
    this.#tell(`no double is ${token.slice(0, 40)}`, pointerTo(this.#frames.at(-1)), expected);
  }

  #tell(message: string, pointer: string, expected: string): void {
    this.faults.push(fault('ERR_NOT_I_JSON', message, { pointer, expected }));
  }
}

/** Reads JSON, or says at which place of it readers would not agree. */
export function readJson(text: string): ReadResult<unknown> {
  if (jsonDepth(text) > MAX_JSON_DEPTH) {
    const expected = `at most ${MAX_JSON_DEPTH} objects and arrays in each other`;
    return { ok: false, faults: [fault('ERR_NOT_I_JSON', 'it is too deep', { pointer: '', expected })] };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { ok: false, faults: [fault('ERR_NOT_JSON', (error as Error).message, { pointer: '', expected: 'JSON' })] };
  }
  const faults = new Differences(text).find();
  return faults.length > 0 ? { ok: false, faults } : { ok: true, value };
}
