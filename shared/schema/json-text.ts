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
  readonly pointer: string;
  /** Names so far; undefined in an array. */
  readonly names: Set<string> | undefined;
  /** The next value's token of the pointer. */
  token: string;
  index: number;
}

/** What a token of JSON begins with, or is: braces, brackets, commas, strings and numbers. */
const TOKEN = /"|-?\d[\d.eE+-]*|[{}[\],]/g;
const QUOTE_OR_ESCAPE = /["\\]/g;

/** The end of the string that begins at `start`. In one expression its characters would be kept for going back. */
function endOfString(text: string, start: number): number {
  QUOTE_OR_ESCAPE.lastIndex = start + 1;
  for (let found = QUOTE_OR_ESCAPE.exec(text); found !== null; found = QUOTE_OR_ESCAPE.exec(text)) {
    if (found[0] === '"') return found.index + 1;
    QUOTE_OR_ESCAPE.lastIndex = found.index + 2;
  }
  return text.length;
}

/** The tokens that matter here of a text that JSON.parse has taken. */
function* tokensOf(text: string): Generator<string> {
  for (let at = 0; ; ) {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    if (found === null) return;
    at = found[0] === '"' ? endOfString(text, found.index) : TOKEN.lastIndex;
    yield text.slice(found.index, at);
  }
}

/** Half a character can stand in JSON only as an escape. */
const isWellFormed = (token: string): boolean =>
  !/\\u[dD][89a-fA-F]/.test(token) || (JSON.parse(token) as string).isWellFormed();

/** What two readers would take differently. The text must be JSON. */
function differences(text: string): Fault[] {
  const faults: Fault[] = [];
  const frames: Frame[] = [];
  let isName = false;
  const here = (): string => {
    const frame = frames.at(-1);
    return frame === undefined
      ? ''
      : `${frame.pointer}/${frame.names === undefined ? frame.index : escapePointer(frame.token)}`;
  };
  for (const token of tokensOf(text)) {
    const frame = frames.at(-1);
    if (token === '{' || token === '[') {
      frames.push({ pointer: here(), names: token === '{' ? new Set() : undefined, token: '', index: 0 });
      isName = token === '{';
    } else if (token === '}' || token === ']') {
      frames.pop();
      isName = false;
    } else if (token === ',') {
      if (frame !== undefined) frame.index += 1;
      isName = frame?.names !== undefined;
    } else if (token.startsWith('"') && !isWellFormed(token)) {
      const expected = 'Unicode text without lone surrogates';
      const place = isName ? (frame?.pointer ?? '') : here();
      faults.push(fault('ERR_NOT_I_JSON', 'a text with half a character', { pointer: place, expected }));
      isName = false;
    } else if (token.startsWith('"') && isName && frame?.names !== undefined) {
      frame.token = JSON.parse(token) as string;
      if (frame.names.has(frame.token)) {
        faults.push(
          fault('ERR_NOT_I_JSON', 'the member is there twice', { pointer: here(), expected: 'one member a name' }),
        );
      }
      frame.names.add(frame.token);
      isName = false;
    } else if (/^[-\d]/.test(token) && !survivesDouble(token)) {
      const near = Number(token.slice(0, MAX_NUMBER_CHARACTERS));
      const expected = `a number that a double holds${Number.isFinite(near) ? `, such as ${near}` : ''}, or a string`;
      faults.push(fault('ERR_NOT_I_JSON', `no double is ${token.slice(0, 40)}`, { pointer: here(), expected }));
    }
    if (faults.length >= MAX_FAULTS) break;
  }
  return faults;
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
  const faults = differences(text);
  return faults.length > 0 ? { ok: false, faults } : { ok: true, value };
}
