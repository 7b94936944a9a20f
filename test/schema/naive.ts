/** JSON Schema 2020-12 word by word as the specification has it, without a thought of speed: what the judge in use is held to. */

export type Schema = Record<string, unknown> | boolean;

/** Names and positions that passed schemas have looked at, of one value. */
type Evaluated = ReadonlySet<string>;
/** undefined: it does not fit. */
type Outcome = Evaluated | undefined;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((one: unknown, at) => isSame(one, b[at]));
  if (!isObject(a) || !isObject(b)) return a === b;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && isSame(a[name], b[name]))
  );
}

const isOfType = (value: unknown, type: string): boolean => {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
};

/** A decimal, as it is written, times 10^`places`. */
function inUnits(value: number, places: number): bigint {
  const [, sign = '', whole = '', fraction = '', power = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? [];
  const zeros = places + Number(power) - fraction.length;
  return BigInt(`${sign}${whole}${fraction}${'0'.repeat(zeros)}`);
}

const count = (text: string): number => [...text].length;
const matches = (source: string, text: string): boolean => new RegExp(source, 'u').test(text);

type Assertion = (wanted: never, value: never, schema: Record<string, unknown>) => boolean;

/** By the kind of value that they are about: of another they say nothing. */
const ASSERTIONS: readonly [is: (value: unknown) => boolean, Readonly<Record<string, Assertion>>][] = [
  [
    () => true,
    {
      type: (type: string | string[], value) => [type].flat().some((one) => isOfType(value, one)),
      const: (wanted, value) => isSame(wanted, value),
      enum: (wanted: unknown[], value) => wanted.some((one) => isSame(one, value)),
    },
  ],
  [
    (value) => typeof value === 'number',
    {
      minimum: (least: number, value: number) => value >= least,
      maximum: (most: number, value: number) => value <= most,
      exclusiveMinimum: (least: number, value: number) => value > least,
      exclusiveMaximum: (most: number, value: number) => value < most,
      // Of the decimals as they are written, in the unit of the last place that either of them has.
      multipleOf: (divisor: number, value: number) => {
        const places = 330;
        const [one = 0n, other = 1n] = [value, divisor].map((number) => inUnits(number, places));
        return one % other === 0n;
      },
    },
  ],
  [
    (value) => typeof value === 'string',
    {
      minLength: (least: number, value: string) => count(value) >= least,
      maxLength: (most: number, value: string) => count(value) <= most,
      pattern: (source: string, value: string) => matches(source, value),
    },
  ],
  [
    Array.isArray,
    {
      minItems: (least: number, value: unknown[]) => value.length >= least,
      maxItems: (most: number, value: unknown[]) => value.length <= most,
      uniqueItems: (unique: boolean, value: unknown[]) =>
        !unique || value.every((one, at) => value.slice(0, at).every((other) => !isSame(one, other))),
    },
  ],
  [
    isObject,
    {
      minProperties: (least: number, value: object) => Object.keys(value).length >= least,
      maxProperties: (most: number, value: object) => Object.keys(value).length <= most,
      required: (names: string[], value: object) => names.every((name) => Object.hasOwn(value, name)),
      dependentRequired: (needs: Record<string, string[]>, value: object) =>
        Object.entries(needs).every(
          ([name, names]) => !Object.hasOwn(value, name) || names.every((one) => Object.hasOwn(value, one)),
        ),
    },
  ],
];

const asserts = (schema: Record<string, unknown>, value: unknown): boolean =>
  ASSERTIONS.every(
    ([is, assertions]) =>
      !is(value) ||
      Object.entries(assertions).every(
        ([name, holds]) => !Object.hasOwn(schema, name) || holds(schema[name] as never, value as never, schema),
      ),
  );

/** Deeper than any chain of references that ends. */
const MAX_DEPTH = 200;

class Naive {
  readonly #root: Schema;
  #depth = 0;
  constructor(root: Schema) {
    this.#root = root;
  }

  /** Of `#`, `#/$defs/name` and `#anchor`, the anchor of a schema in `$defs`. */
  #at(reference: string): Schema {
    if (reference === '#') return this.#root;
    const defs = (this.#root as { $defs: Record<string, Schema> }).$defs;
    const found = reference.startsWith('#/$defs/')
      ? defs[reference.slice('#/$defs/'.length)]
      : Object.values(defs).find((one) => isObject(one) && one.$anchor === reference.slice(1));
    if (found === undefined) throw new Error(`nothing at ${reference}`);
    return found;
  }

  /** What looks at the value itself. */
  #inPlace(schema: Record<string, unknown>, value: unknown): Outcome {
    const list = (name: string): Schema[] => (schema[name] ?? []) as Schema[];
    const outcomes: Outcome[] = [];
    const of = (one: unknown): Outcome => this.judge(one as Schema, value);
    if (schema.$ref !== undefined) outcomes.push(of(this.#at(schema.$ref as string)));
    outcomes.push(...list('allOf').map(of));
    for (const name of ['anyOf', 'oneOf']) {
      if (schema[name] === undefined) continue;
      const passed = list(name)
        .map(of)
        .filter((one) => one !== undefined);
      const fits = name === 'anyOf' ? passed.length > 0 : passed.length === 1;
      outcomes.push(fits ? new Set(passed.flatMap((one) => [...one])) : undefined);
    }
    if (schema.not !== undefined) outcomes.push(of(schema.not) === undefined ? new Set() : undefined);
    if (schema.if !== undefined) {
      const condition = of(schema.if);
      const branch = condition === undefined ? schema.else : schema.then;
      outcomes.push(condition ?? new Set(), branch === undefined ? new Set() : of(branch));
    }
    for (const [name, one] of Object.entries(schema.dependentSchemas ?? {})) {
      if (isObject(value) && Object.hasOwn(value, name)) outcomes.push(of(one));
    }
    const all: string[] = [];
    for (const outcome of outcomes) {
      if (outcome === undefined) return undefined;
      all.push(...outcome);
    }
    return new Set(all);
  }

  #ofItems(schema: Record<string, unknown>, value: readonly unknown[], inPlace: Evaluated): Outcome {
    const evaluated = new Set(inPlace);
    const fits = (one: unknown, at: number): boolean => {
      evaluated.add(String(at));
      return this.judge(one as Schema, value[at]) !== undefined;
    };
    const prefix = (schema.prefixItems ?? []) as Schema[];
    if (!prefix.every((one, at) => at >= value.length || fits(one, at))) return undefined;
    if (schema.items !== undefined && !value.every((_, at) => at < prefix.length || fits(schema.items, at)))
      return undefined;
    if (schema.contains !== undefined) {
      const found = [...value.keys()].filter((at) => this.judge(schema.contains as Schema, value[at]) !== undefined);
      if (found.length < Number(schema.minContains ?? 1)) return undefined;
      if (found.length > Number(schema.maxContains ?? Number.POSITIVE_INFINITY)) return undefined;
      for (const at of found) evaluated.add(String(at));
    }
    if (schema.unevaluatedItems === undefined) return evaluated;
    const rest = [...value.keys()].filter((at) => !evaluated.has(String(at)));
    return rest.every((at) => fits(schema.unevaluatedItems, at)) ? evaluated : undefined;
  }

  #ofProperties(schema: Record<string, unknown>, value: Record<string, unknown>, inPlace: Evaluated): Outcome {
    const own = new Set<string>();
    const fits = (one: unknown, name: string): boolean => {
      own.add(name);
      return this.judge(one as Schema, value[name]) !== undefined;
    };
    const names = Object.keys(value);
    if (schema.propertyNames !== undefined) {
      if (names.some((name) => this.judge(schema.propertyNames as Schema, name) === undefined)) return undefined;
    }
    const properties = Object.entries(schema.properties ?? {});
    if (!properties.every(([name, one]) => !Object.hasOwn(value, name) || fits(one, name))) return undefined;
    const patterns = Object.entries(schema.patternProperties ?? {});
    if (!patterns.every(([source, one]) => names.every((name) => !matches(source, name) || fits(one, name))))
      return undefined;
    if (schema.additionalProperties !== undefined) {
      const rest = names.filter((name) => !own.has(name));
      if (!rest.every((name) => fits(schema.additionalProperties, name))) return undefined;
    }
    const rest = names.filter((name) => !own.has(name) && !inPlace.has(name));
    if (schema.unevaluatedProperties !== undefined && !rest.every((name) => fits(schema.unevaluatedProperties, name)))
      return undefined;
    return new Set([...own, ...inPlace]);
  }

  judge(schema: Schema, value: unknown): Outcome {
    if (typeof schema === 'boolean') return schema ? new Set() : undefined;
    if (this.#depth > MAX_DEPTH) throw new RangeError('a reference that leads to itself');
    this.#depth += 1;
    try {
      // First, so that a reference that leads to itself is found whatever the value is.
      const inPlace = this.#inPlace(schema, value);
      if (inPlace === undefined || !asserts(schema, value)) return undefined;
      if (Array.isArray(value)) return this.#ofItems(schema, value, inPlace);
      return isObject(value) ? this.#ofProperties(schema, value, inPlace) : inPlace;
    } finally {
      this.#depth -= 1;
    }
  }
}

/** @throws RangeError where a reference leads to itself for ever */
export const naivelyFits = (schema: Schema, value: unknown): boolean =>
  new Naive(schema).judge(schema, value) !== undefined;
