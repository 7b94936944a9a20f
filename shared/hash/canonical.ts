import serialize from 'canonicalize';
import { IsomorphError } from '../errors/isomorph-error.ts';

const encoder = new TextEncoder();

/** Deeper values take the slow way, which ends circles too. */
const MAX_DEPTH = 64;

/** In any object numbers stand in front of other keys, and `__proto__` is no key when it is assigned. */
const isSpecial = (key: string): boolean => (key >= '0' && key < ':') || key === '__proto__';

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

const UNSURE = Symbol('what the slow way has to look at');

function arrayInOrder(values: readonly unknown[], depth: number): unknown {
  let changed: unknown[] | undefined;
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    const ordered = inOrder(value, depth + 1);
    if (ordered === UNSURE) return UNSURE;
    if (ordered === value) continue;
    changed ??= values.slice();
    changed[at] = ordered;
  }
  return changed ?? values;
}

function objectInOrder(value: Readonly<Record<string, unknown>>, depth: number): unknown {
  const keys = Object.keys(value);
  let isSorted = true;
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at] as string;
    if (isSpecial(key)) return UNSURE;
    if (at > 0 && key < (keys[at - 1] as string)) isSorted = false;
  }
  let changed: Record<string, unknown> | undefined = isSorted ? undefined : {};
  for (const key of isSorted ? keys : keys.sort()) {
    const member = value[key];
    if (member === undefined) continue;
    const ordered = inOrder(member, depth + 1);
    if (ordered === UNSURE) return UNSURE;
    if (isSorted && ordered !== member) changed ??= { ...value };
    if (changed !== undefined) changed[key] = ordered;
  }
  return changed ?? value;
}

/** The value with the keys of its objects in order, itself where they are; {@link UNSURE} for what is not plain JSON. */
function inOrder(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : UNSURE;
    case 'object':
      if (value === null) return value;
      if (depth > MAX_DEPTH) return UNSURE;
      if (Array.isArray(value)) return arrayInOrder(value, depth);
      return isPlain(value) && !('toJSON' in value) ? objectInOrder(value as Record<string, unknown>, depth) : UNSURE;
    default:
      return UNSURE;
  }
}

/** What JSON.stringify writes of half a surrogate pair, which canonical JSON cannot hold. */
const HALF_A_PAIR = '\\ud';

/** The platform's own writer makes the same text of plain values in order, many times faster; undefined where that is not sure. */
function quickText(value: unknown): string | undefined {
  const ordered = inOrder(value, 0);
  if (ordered === UNSURE) return undefined;
  const text = JSON.stringify(ordered);
  return text.includes(HALF_A_PAIR) ? undefined : text;
}

/**
 * The canonical text of a JSON value (RFC 8785, JCS).
 * @throws ERR_SCHEMA for what JSON cannot hold: NaN, infinities, lone surrogates, functions, undefined at the top.
 */
export function canonicalText(value: unknown): string {
  const quick = quickText(value);
  if (quick !== undefined) return quick;
  let text: string | undefined;
  try {
    text = serialize(value);
  } catch (error) {
    throw new IsomorphError('ERR_SCHEMA', `not representable as JSON: ${(error as Error).message}`, {}, error);
  }
  if (text === undefined) throw new IsomorphError('ERR_SCHEMA', 'not representable as JSON');
  return text;
}

/** {@link canonicalText} as UTF-8. */
export const canonicalBytes = (value: unknown): Uint8Array => encoder.encode(canonicalText(value));
