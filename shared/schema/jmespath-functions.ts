/** Functions of JMESPath Community that the library judges wrongly, as the dialect has them. Pure. */
import {
  type InputSignature,
  type JSONValue,
  register,
  TYPE_ANY,
  TYPE_ARRAY,
  TYPE_ARRAY_NUMBER,
  TYPE_ARRAY_STRING,
  TYPE_EXPREF,
  TYPE_NUMBER,
  TYPE_OBJECT,
  TYPE_STRING,
} from '@jmespath-community/jmespath';

type Json = JSONValue;
/** What an `&expression` says of a value. */
type Key = (value: Json) => Json;

/** The library calls a function with its runtime as `this`, which evaluates expressions that were passed. */
interface Runtime {
  readonly _interpreter: { visit(node: unknown, value: Json): Json };
}

const isObject = (value: Json): value is Record<string, Json> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isSame = (a: Json, b: Json): boolean => {
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((one, at) => isSame(one, b[at] as Json));
  if (!isObject(a) || !isObject(b)) return a === b;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && isSame(a[name] as Json, b[name] as Json))
  );
};

/** By code points; the language compares halves of them. */
function compareTexts(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  for (const [at, one] of left.entries()) {
    const other = right[at];
    if (other === undefined) return 1;
    if (one !== other) return (one.codePointAt(0) ?? 0) - (other.codePointAt(0) ?? 0);
  }
  return left.length - right.length;
}

const compare = (a: Json, b: Json): number =>
  typeof a === 'number' && typeof b === 'number' ? a - b : compareTexts(String(a), String(b));

/** The first of those whose keys none exceeds in `direction`; null where there is nothing. */
function extreme(values: readonly Json[], keyOf: Key, direction: 1 | -1): Json {
  const keys = values.map(keyOf);
  const type = typeof keys[0];
  const isOrdered = type === 'number' || type === 'string';
  if (values.length > 0 && !(isOrdered && keys.every((key) => typeof key === type))) {
    throw new Error('Invalid type: expected keys that are all numbers or all strings');
  }
  let best = 0;
  for (let at = 1; at < keys.length; at++) {
    if (direction * compare(keys[at] as Json, keys[best] as Json) > 0) best = at;
  }
  return values[best] ?? null;
}

const itself: Key = (value) => value;

function group(values: readonly Json[], keyOf: Key): Json {
  const groups = new Map<string, Json[]>();
  for (const value of values) {
    const key = keyOf(value);
    if (typeof key !== 'string') throw new Error('Invalid type: expected keys that are all strings');
    groups.set(key, [...(groups.get(key) ?? []), value]);
  }
  return Object.fromEntries(groups);
}

const contains = (subject: Json, search: Json): boolean =>
  Array.isArray(subject)
    ? subject.some((one) => isSame(one, search))
    : typeof search === 'string' && String(subject).includes(search);

/** Only what JSON writes as a number is one. */
function toNumber(value: Json): Json {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(value)
    ? Number(value)
    : null;
}

/** @throws Error where an optional or needed number is none that counts */
function whole(value: Json | undefined, least = Number.NEGATIVE_INFINITY): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least) return value;
  throw new Error(`invalid-value: expecting a ${least === 0 ? 'non-negative ' : ''}integer.`);
}

/** Where a text stands in another, in code points as `length` and slices count; null where it does not. */
function find([subject, search, start, end]: readonly Json[], direction: 'indexOf' | 'lastIndexOf'): Json {
  if (!subject || !search) return null;
  const points = [...String(subject)];
  const from = Math.max(whole(start || 0), 0);
  const window = points.slice(from, Math.min(whole(end || points.length), points.length)).join('');
  const found = window[direction](String(search));
  return found === -1 ? null : from + [...window.slice(0, found)].length;
}

/** What a text lacks to its width in code points. */
function padOf(name: string, [subject, width, padding]: readonly Json[]): string {
  const pad = String(padding || ' ');
  if ([...pad].length > 1) throw new Error(`${name} expects its 'pad' parameter to be a single code point`);
  const missing = whole(width, 0) - [...String(subject)].length;
  // An empty text stays empty, as in the library.
  return subject === '' ? '' : pad.repeat(Math.max(0, missing));
}

function split([subject, search, count]: readonly Json[]): Json {
  const [text, by] = [String(subject), String(search)];
  const parts = by === '' ? [...text] : text.split(by);
  if (count === undefined || count === null || (text === '' && by === '')) return parts;
  const most = whole(count, 0);
  return most === 0 ? [text] : [...parts.slice(0, most), parts.slice(most).join(by)];
}

const ANY: InputSignature = { types: [TYPE_ANY] };
const TEXT: InputSignature = { types: [TYPE_STRING] };
const NUMBER: InputSignature = { types: [TYPE_NUMBER] };
const optional = (one: InputSignature): InputSignature => ({ ...one, optional: true });
const FINDING: InputSignature[] = [TEXT, TEXT, optional(NUMBER), optional(NUMBER)];
const PADDING: InputSignature[] = [TEXT, NUMBER, optional(TEXT)];
const LIST: InputSignature = { types: [TYPE_ARRAY] };
const ORDERED: InputSignature = { types: [TYPE_ARRAY_NUMBER, TYPE_ARRAY_STRING] };
const BY_KEY: InputSignature[] = [LIST, { types: [TYPE_EXPREF] }];

/** The arguments, as the signature lets them through; `keyOf` is the `&expression` of those that take one. */
type Call = (args: readonly Json[], keyOf: Key) => Json;

const list = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);

const FUNCTIONS: Readonly<Record<string, readonly [signature: InputSignature[], call: Call]>> = {
  contains: [
    [{ types: [TYPE_STRING, TYPE_ARRAY] }, ANY],
    ([subject = null, search = null]) => contains(subject, search),
  ],
  find_first: [FINDING, (args) => find(args, 'indexOf')],
  find_last: [FINDING, (args) => find(args, 'lastIndexOf')],
  group_by: [BY_KEY, ([values], keyOf) => group(list(values), keyOf)],
  max: [[ORDERED], ([values]) => extreme(list(values), itself, 1)],
  max_by: [BY_KEY, ([values], keyOf) => extreme(list(values), keyOf, 1)],
  merge: [
    [{ types: [TYPE_OBJECT], variadic: true }],
    (objects) => Object.fromEntries(objects.flatMap((one) => Object.entries(one ?? {}))),
  ],
  min: [[ORDERED], ([values]) => extreme(list(values), itself, -1)],
  min_by: [BY_KEY, ([values], keyOf) => extreme(list(values), keyOf, -1)],
  pad_left: [PADDING, (args) => `${padOf('pad_left', args)}${args[0]}`],
  pad_right: [PADDING, (args) => `${args[0]}${padOf('pad_right', args)}`],
  sort: [[ORDERED], ([values]) => [...list(values)].sort(compare)],
  split: [[TEXT, TEXT, optional(NUMBER)], split],
  to_number: [[ANY], ([value = null]) => toNumber(value)],
};

/** With a blank, so that it is no name of the dialect and reads as the one that it stands for: `sort () expected …`. */
const nameOf = (name: string): string => `${name} `;

for (const [name, [signature, call]] of Object.entries(FUNCTIONS)) {
  function run(this: Runtime, args: readonly unknown[]): Json {
    return call(args as readonly Json[], (value) => this._interpreter.visit(args[1], value));
  }
  register(nameOf(name), run as Parameters<typeof register>[1], signature);
}

/** What a call of this function is to call instead; undefined where the library judges as the dialect says. */
export const ownFunction = (name: string): string | undefined =>
  Object.hasOwn(FUNCTIONS, name) ? nameOf(name) : undefined;
