/** Schemas of draft 2020-12 and values for them, from a seed: keywords stand beside each other as nobody would write them. */

import type { Random } from '../soak/random.ts';

type Schema = Record<string, unknown> | boolean;

const NAMES = ['a', 'b', 'ab', '__proto__', 'constructor', 'é', 'a/b', 'length', '0'];
const TEXTS = ['', 'a', 'ab', 'abc', 'é', '😀', '😀😀', 'a\nb', 'A', ...NAMES];
const NUMBERS = [0, 1, 2, 3, 5, -1, 1.5, 0.5, 1e300, 2 ** 53 - 1, -0];
const PATTERNS = [
  '^a',
  'a$',
  '.',
  '^.$',
  '\\d',
  '[😀]',
  '^[^a]',
  '^a|b$',
  '^$',
  '^(?!a)',
  'ab*',
  '^ab?',
  '',
  '.*',
  '^ab$',
];
const TYPES = ['string', 'number', 'integer', 'object', 'array', 'null', 'boolean'];
const BOUNDS = [-1, 0, 1, 1.5, 2, 5];

export class Maker {
  readonly #random: Random;
  constructor(random: Random) {
    this.#random = random;
  }

  below(count: number): number {
    return this.#random.between(0, count - 1);
  }

  one<T>(of: readonly T[]): T {
    return this.#random.pick(of);
  }

  some<T>(of: readonly T[], count: number): T[] {
    return [...new Set(Array.from({ length: count }, () => this.one(of)))];
  }

  many<T>(least: number, most: number, make: () => T): T[] {
    return Array.from({ length: least + this.below(most - least + 1) }, make);
  }

  /** `__proto__` is a name like others. */
  named(least: number, most: number, names: readonly string[], make: () => unknown): Record<string, unknown> {
    return Object.fromEntries(this.many(least, most, () => [this.one(names), make()]));
  }

  value(depth = 0): unknown {
    switch (this.below(depth < 3 ? 8 : 5)) {
      case 0:
        return this.one([null, true, false]);
      case 1:
        return this.one(NUMBERS);
      case 2:
        return this.one(TEXTS);
      case 3:
        return this.one([[], {}, 1, 'a', null]);
      case 4:
        return this.one([0, false, 'a', 1]);
      case 5:
        return this.many(0, 3, () => this.value(depth + 1));
      default:
        return this.named(0, 3, NAMES, () => this.value(depth + 1));
    }
  }

  #group(group: string, sub: () => Schema, references: readonly string[]): Record<string, () => unknown> {
    const least = (): number => this.below(3);
    switch (group) {
      case 'any':
        return {
          type: () => (this.below(2) > 0 ? this.one(TYPES) : this.some(TYPES, 3)),
          const: () => this.value(1),
          enum: () => this.many(1, 3, () => this.value(1)),
        };
      case 'number':
        return {
          ...Object.fromEntries(
            ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'].map((name) => [
              name,
              () => this.one(BOUNDS),
            ]),
          ),
          multipleOf: () => this.one([1, 2, 0.5, 1.5, 3]),
        };
      case 'string':
        return {
          minLength: least,
          maxLength: least,
          pattern: () => this.one(PATTERNS),
          format: () => this.one(['date', 'email']),
        };
      case 'array':
        return {
          minItems: least,
          maxItems: least,
          uniqueItems: () => this.below(2) > 0,
          items: sub,
          prefixItems: () => this.many(1, 2, sub),
          contains: sub,
          minContains: least,
          maxContains: least,
          unevaluatedItems: sub,
        };
      case 'object':
        return {
          minProperties: least,
          maxProperties: least,
          required: () => this.some(NAMES, this.below(3)),
          properties: () => this.named(1, 3, NAMES, sub),
          patternProperties: () => this.named(1, 2, PATTERNS, sub),
          additionalProperties: sub,
          propertyNames: sub,
          dependentRequired: () => this.named(1, 2, NAMES, () => this.some(NAMES, this.below(3))),
          dependentSchemas: () => this.named(1, 2, NAMES, sub),
          unevaluatedProperties: sub,
        };
      case 'reference':
        return references.length === 0 ? {} : { $ref: () => this.one(references) };
      default:
        return {
          allOf: () => this.many(1, 2, sub),
          anyOf: () => this.many(1, 3, sub),
          oneOf: () => this.many(1, 3, sub),
          not: sub,
          if: sub,
          // biome-ignore lint/suspicious/noThenProperty: a keyword
          then: sub,
          else: sub,
        };
    }
  }

  #schema(depth: number, references: readonly string[]): Schema {
    if (depth > 3 || this.below(12) === 0) return this.one<Schema>([true, false, {}, { type: this.one(TYPES) }]);
    const groups = ['any', 'number', 'string', 'array', 'object', 'object', 'in place', 'in place', 'reference'];
    const sub = (): Schema => this.#schema(depth + 1, references);
    const schema: Record<string, unknown> = {};
    for (const group of this.some(groups, this.one([1, 1, 2, 3]))) {
      const makers = Object.entries(this.#group(group, sub, references));
      if (makers.length === 0) continue;
      for (const [name, make] of this.some(makers, 1 + this.below(3))) schema[name] = make();
    }
    if (this.below(6) === 0) schema.unevaluatedProperties = this.one<unknown>([false, { type: this.one(TYPES) }]);
    if (this.below(8) === 0) schema.unevaluatedItems = this.one<unknown>([false, { type: this.one(TYPES) }]);
    return schema;
  }

  schema(): Schema {
    const references = ['#/$defs/x', '#/$defs/y', '#anchor'];
    const schema = this.#schema(0, references);
    if (typeof schema === 'boolean') return schema;
    // They refer to none, but y, which may refer to the whole: most would lead to themselves.
    const anchored = this.#schema(2, []);
    const $defs = {
      x: this.#schema(2, []),
      y: this.#schema(2, this.below(4) === 0 ? ['#', '#/$defs/x'] : []),
      z: { ...(typeof anchored === 'boolean' ? {} : anchored), $anchor: 'anchor' },
    };
    return { ...schema, $defs };
  }

  /** What may fit, or nearly: values at random, and those that the schema names. */
  values(schema: unknown): unknown[] {
    const values = Array.from({ length: 12 }, () => this.value());
    const collect = (at: unknown): void => {
      if (typeof at !== 'object' || at === null) return;
      for (const [name, one] of Object.entries(at)) {
        if (name === 'const') values.push(one);
        else if (name === 'enum' && Array.isArray(one)) values.push(...one);
        else collect(one);
      }
    };
    collect(schema);
    return values.slice(0, 24);
  }
}
