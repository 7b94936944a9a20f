/** `multipleOf` as JSON has it: of the decimals as they are written, not of the doubles that hold them. Pure. */
import { changed } from './equivalent.ts';
import { heldBy, isObject, KEYWORDS } from './keywords.ts';

type Schema = Record<string, unknown>;

/** A number as it is written: `digits` × 10^`exponent`. */
interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

function decimalOf(value: number): Decimal {
  const [part = '', power = '0'] = String(value).split('e');
  const [whole = '', fraction = ''] = part.split('.');
  return { digits: BigInt(whole + fraction), exponent: Number(power) - fraction.length };
}

/** Up to so many digits each decimal has a double of its own. */
const EXACT = 1e15;
/** Up to this one powers of ten are doubles. */
const EXACT_POWER = 22;

/** Whether a number / `divisor` is an integer. The divisor is finite and above 0. */
export function multipleOf(divisor: number): (value: number) => boolean {
  const of = decimalOf(divisor);
  const places = Math.max(0, -of.exponent);
  const [scale, whole] = [10 ** places, Number(of.digits * 10n ** BigInt(Math.max(0, of.exponent)))];
  const isShort = places <= EXACT_POWER && whole < EXACT;
  return (value) => {
    // With as many places as the divisor it is an integer, or it has more of them and is none of its multiples.
    const rounded = Math.round(value * scale);
    if (isShort && Math.abs(rounded) < EXACT) return rounded / scale === value && rounded % whole === 0;
    const one = decimalOf(value);
    const exponent = Math.min(one.exponent, of.exponent);
    const scaled = ({ digits, exponent: own }: Decimal): bigint => digits * 10n ** BigInt(own - exponent);
    return scaled(one) % scaled(of) === 0n;
  };
}

/** Every divisor that a schema names, once. One that is none stands where nothing refers to. */
export function divisorsOf(schema: unknown, found = new Set<number>()): ReadonlySet<number> {
  if (!isObject(schema)) return found;
  for (const [name, value] of Object.entries(schema)) {
    if (name === 'multipleOf' && typeof value === 'number' && value > 0) found.add(value);
    for (const [held] of heldBy(KEYWORDS.get(name) ?? 'value', value, '')) divisorsOf(held, found);
  }
  return found;
}

/** How one divisor is judged by the library, and how it is right. */
export interface Divisor {
  readonly divisor: number;
  readonly judged: (value: number) => boolean;
  readonly right: (value: number) => boolean;
}

/** By divisor, numbers of a document that the library takes wrongly and those that it refuses wrongly. */
export type Misjudged = ReadonlyMap<number, { readonly taken: Set<number>; readonly refused: Set<number> }>;

export function misjudgedIn(document: unknown, divisors: readonly Divisor[]): Misjudged {
  const found = new Map<number, { readonly taken: Set<number>; readonly refused: Set<number> }>();
  const look = (part: unknown): void => {
    if (typeof part === 'object' && part !== null) for (const one of Object.values(part)) look(one);
    if (typeof part !== 'number') return;
    for (const { divisor, judged, right } of divisors) {
      const isRight = right(part);
      if (judged(part) === isRight) continue;
      const wrong = found.get(divisor) ?? { taken: new Set(), refused: new Set() };
      found.set(divisor, wrong);
      (isRight ? wrong.refused : wrong.taken).add(part);
    }
  };
  if (divisors.length > 0) look(document);
  return found;
}

/** A schema that names the numbers that would be misjudged, and so says of them what is right. */
export const naming = (schema: unknown, misjudged: Misjudged): unknown =>
  changed(schema, (one: Schema) => {
    const { multipleOf: divisor, ...rest } = one;
    const wrong = typeof divisor === 'number' ? misjudged.get(divisor) : undefined;
    const allOf = one.allOf ?? [];
    if (wrong === undefined || !Array.isArray(allOf)) return one;
    const [taken, refused] = [[...wrong.taken], [...wrong.refused]];
    const usual = { multipleOf: divisor, ...(taken.length === 0 ? {} : { not: { enum: taken } }) };
    const right = refused.length === 0 ? usual : { anyOf: [usual, { enum: refused }] };
    // Behind what is there, so that references to it stay right.
    return { ...rest, allOf: [...allOf, right] };
  });
