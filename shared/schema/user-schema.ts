/** JSON Schema 2020-12 as users write it: in the registry, and in predicates. Pure; cost is bounded by who calls. */
import { validator } from '@exodus/schemasafe';
import type { ErrorCode } from '../errors/codes.ts';
import { type Fault, fault } from '../errors/isomorph-error.ts';
import { circularReference } from './circles.ts';
import { equivalent, looksAtTheRest } from './equivalent.ts';
import { FORMATS, isObject, keywordFaults } from './keywords.ts';
import { divisorsOf, type Misjudged, misjudgedIn, multipleOf, naming } from './multiples.ts';
import { Remembered } from './remembered.ts';

/** A reader of 20 faults has enough to work on; a hostile document must not make a large answer. */
const MAX_FAULTS = 20;

type Schema = Record<string, unknown> | boolean;

interface Usable {
  readonly ok: true;
  /** Of a value, each with its place below `base`; none when it fits. */
  faults(value: unknown, code: ErrorCode, base: string): Fault[];
}

export type CompiledSchema =
  | Usable
  /** Why the schema itself cannot be used, with places below the base that was given. */
  | { readonly ok: false; readonly faults: readonly Fault[] };

const anyText = (): boolean => true;

const OPTIONS = {
  mode: 'default',
  $schemaDefault: 'https://json-schema.org/draft/2020-12/schema',
  requireSchema: false,
  requireValidation: false,
  requireStringValidation: false,
  allowUnreachable: true,
  // Annotations stay unused; what else is not known was refused before.
  allowUnusedKeywords: true,
  contentValidation: false,
  formats: Object.fromEntries(FORMATS.map((name) => [name, anyText])),
} as const;

interface Failed {
  readonly keywordLocation: string;
  readonly instanceLocation: string;
}

type Validate = ((value: unknown) => boolean) & { readonly errors?: readonly Failed[] | null };

const compile = (schema: Schema, options: object): Validate =>
  validator(schema as Parameters<typeof validator>[0], { ...OPTIONS, ...options }) as Validate;

/** `#/a~1b` of the library as JSON Pointer tokens. */
const tokensOf = (location: string): string[] =>
  location
    .replace(/^#?\/?/, '')
    .split('/')
    .filter((token) => token !== '');

/** What stands at a place of the schema; undefined where a reference was followed on the way. */
function at(schema: unknown, tokens: readonly string[]): unknown {
  let value = schema;
  for (const token of tokens) {
    const name = decodeURIComponent(token).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'another value';
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
};

/** In words, what a keyword asks for. */
function expectation(keyword: string, wanted: unknown): string {
  switch (keyword) {
    case 'type':
      return `a value of type ${Array.isArray(wanted) ? wanted.join(' or ') : String(wanted)}`;
    case 'required':
      return 'this field';
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return 'no such field';
    case 'const':
      return shown(wanted);
    case 'enum':
      return `one of ${Array.isArray(wanted) ? wanted.map(shown).join(', ') : shown(wanted)}`;
    case 'anyOf':
    case 'oneOf':
      return `what fits ${keyword === 'anyOf' ? 'at least one' : 'exactly one'} of the schemas in ${keyword}`;
    case 'not':
      return 'what does not fit the schema in not';
    default:
      return wanted === undefined || typeof wanted === 'object'
        ? `what ${keyword} asks for`
        : `${keyword} ${shown(wanted)}`;
  }
}

function toFault(schema: Schema, { keywordLocation, instanceLocation }: Failed, code: ErrorCode, base: string): Fault {
  const tokens = tokensOf(keywordLocation);
  const keyword = tokens.at(-1) ?? 'false';
  const pointer = `${base}${instanceLocation.replace(/^#/, '')}`;
  return fault(code, `it does not fit "${keyword}"`, { pointer, expected: expectation(keyword, at(schema, tokens)) });
}

/** The library's text for a schema it refuses ends in the place. */
function refusal(error: Error, code: ErrorCode, base: string): Fault {
  const [, reason = error.message, place = ''] = /^(.*?) at \S*?#(\S*)$/s.exec(error.message) ?? [];
  return fault(code, `the schema itself is not usable: ${reason}`, {
    pointer: `${base}${place}`,
    expected: 'a JSON Schema of draft 2020-12 that refers to nothing outside itself',
  });
}

/**
 * All failures of a value that does not fit, where the library can tell them, else the first. It cannot for every schema, nor of
 * every value: behind a first failure it may take the value for what that failure says it is not, and throw.
 * @param schemas those with the user's places before those that are judged by
 */
function explainer(schemas: readonly Schema[]): (value: unknown) => readonly Failed[] {
  const ways = schemas.flatMap((schema) =>
    [{ includeErrors: true, allErrors: true }, { includeErrors: true }].map((options) => {
      let validate: Validate | undefined;
      return (value: unknown): readonly Failed[] => {
        validate ??= compile(schema, options);
        return validate(value) ? [] : (validate.errors ?? []);
      };
    }),
  );
  return (value) => {
    for (const failures of ways) {
      try {
        const failed = failures(value);
        if (failed.length > 0) return failed;
      } catch {
        // The verdict stands already; the next way tells less of it.
      }
    }
    return [];
  };
}

interface Judged {
  readonly fits: (value: unknown) => boolean;
  readonly explain: (value: unknown) => readonly Failed[];
}

/** @param told schemas for the reasons, as {@link explainer} takes them: compiled when somebody asks why */
function judgedBy(judged: Schema, told: readonly Schema[]): Judged {
  const fits = compile(judged, {});
  let explain: ReturnType<typeof explainer> | undefined;
  return {
    fits,
    explain: (value) => {
      explain ??= explainer(told);
      return explain(value);
    },
  };
}

/** What the library cannot explain: it is about a number that it would have taken, or about nothing that it can name. */
function unexplained(misjudged: Misjudged, code: ErrorCode, pointer: string): Fault {
  for (const [divisor, { taken }] of misjudged) {
    const [first] = taken;
    if (first === undefined) continue;
    return fault(code, `${first} is no multiple of ${divisor}`, { pointer, expected: `multipleOf ${divisor}` });
  }
  return fault(code, 'it does not fit the schema', { pointer });
}

/** A union reports its branches too; the place of the union itself says more than each branch does. */
const withoutBranches = (failed: readonly Failed[]): Failed[] => {
  const unions = failed.filter(({ keywordLocation }) => /\/(anyOf|oneOf)$/.test(keywordLocation));
  return failed.filter(
    (one) => !unions.some((union) => one !== union && one.keywordLocation.startsWith(`${union.keywordLocation}/`)),
  );
};

/** Compiling takes milliseconds, and every run of a plan asks the same schemas. */
const remembered = new Remembered<Usable>();

/**
 * Compiles a schema that a user wrote. What would be judged wrongly or not at all is refused: unknown keywords and formats,
 * other drafts, dynamic references, references to other documents (docs/plans.md).
 * @param base pointer of the schema in its document, for the faults of the schema itself
 */
export function compileSchema(schema: unknown, code: ErrorCode, base: string): CompiledSchema {
  if (typeof schema !== 'boolean' && (typeof schema !== 'object' || schema === null || Array.isArray(schema))) {
    const expected = 'an object, true or false';
    return {
      ok: false,
      faults: [fault(code, 'the schema itself is not usable: no object', { pointer: base, expected })],
    };
  }
  const usable = schema as Schema;
  const text = JSON.stringify(usable);
  const known = remembered.get(text);
  if (known !== undefined) return known;
  const unknown = keywordFaults(usable, code, base);
  if (unknown.length > 0) return { ok: false, faults: unknown.slice(0, MAX_FAULTS) };
  const { told, judged } = equivalent(usable);
  let usual: Judged;
  try {
    usual = judgedBy(judged, [...new Set([told, judged])]);
  } catch (error) {
    return { ok: false, faults: [refusal(error as Error, code, base)] };
  }
  const circular = isObject(judged) && looksAtTheRest(judged) ? circularReference(judged) : undefined;
  if (circular !== undefined) {
    const message = `$ref ${circular.slice(0, 100)} leads back to itself, and unevaluated… asks what it evaluates`;
    const expected = 'a reference below properties or items of its own, or no unevaluated…';
    return { ok: false, faults: [fault(code, message, { pointer: base, expected })] };
  }
  const divisors = [...divisorsOf(judged)].map((divisor) => ({
    divisor,
    judged: compile({ multipleOf: divisor }, {}),
    right: multipleOf(divisor),
  }));
  const compiled: Usable = {
    ok: true,
    faults(value, valueCode, valueBase) {
      const misjudged = misjudgedIn(value, divisors);
      const by = misjudged.size === 0 ? usual : judgedBy(naming(judged, misjudged) as Schema, [told]);
      if (by.fits(value)) return [];
      const failed = withoutBranches(by.explain(value));
      const faults = failed.slice(0, MAX_FAULTS).map((one) => toFault(usable, one, valueCode, valueBase));
      return faults.length > 0 ? faults : [unexplained(misjudged, valueCode, valueBase)];
    },
  };
  remembered.set(text, compiled);
  return compiled;
}
