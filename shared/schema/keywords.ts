/** What a JSON Schema that a user wrote may say: the keywords of draft 2020-12, and what each of them holds. Pure. */
import type { ErrorCode } from '../errors/codes.ts';
import { type Fault, fault } from '../errors/isomorph-error.ts';

/** `schema`: one; `schemas`: a list; `named`: by name; `value`: no schema, so nothing in it is a keyword. */
type Holds = 'schema' | 'schemas' | 'named' | 'value';

export const KEYWORDS: ReadonlyMap<string, Holds> = new Map<string, Holds>(
  Object.entries({
    schema:
      'additionalProperties unevaluatedProperties propertyNames items contains unevaluatedItems not if then else contentSchema',
    schemas: 'allOf anyOf oneOf prefixItems',
    named: 'properties patternProperties dependentSchemas $defs definitions',
    value:
      '$schema $id $anchor $dynamicAnchor $ref $comment type enum const multipleOf maximum exclusiveMaximum minimum ' +
      'exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems maxContains minContains ' +
      'maxProperties minProperties required dependentRequired format contentEncoding contentMediaType ' +
      'title description default deprecated readOnly writeOnly examples',
  } satisfies Record<Holds, string>).flatMap(([holds, names]) =>
    names.split(' ').map((name): [string, Holds] => [name, holds as Holds]),
  ),
);

/** The vocabulary "format-annotation" of draft 2020-12: they say what a text is meant to be, and refuse no text. */
export const FORMATS: readonly string[] = [
  ...['date-time', 'date', 'time', 'duration', 'email', 'idn-email', 'hostname', 'idn-hostname', 'ipv4', 'ipv6'],
  ...['uri', 'uri-reference', 'iri', 'iri-reference', 'uuid', 'uri-template', 'json-pointer'],
  ...['relative-json-pointer', 'regex'],
];

/** What other drafts had, and what stands for it in this one. */
const INSTEAD: ReadonlyMap<string, string> = new Map([
  ['dependencies', 'dependentRequired or dependentSchemas'],
  ['additionalItems', 'items beside prefixItems'],
  ['id', '$id'],
  ['$dynamicRef', '$ref: dynamic references are judged wrongly in places, so none is taken'],
  ['$recursiveRef', '$ref'],
  ['$vocabulary', 'the vocabularies of draft 2020-12'],
]);

const DRAFT = /^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/;

/** A schema is written by hand; one deeper than this was made to be deep. */
export const MAX_SCHEMA_DEPTH = 64;

const escapePointer = (token: string): string => token.replaceAll('~', '~0').replaceAll('/', '~1');

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Keywords that only describe: taken, and not judged by. */
const isAnnotation = (name: string): boolean => name.startsWith('x-');

interface Walk {
  readonly code: ErrorCode;
  readonly faults: Fault[];
}

function checkPattern({ code, faults }: Walk, source: unknown, pointer: string): void {
  try {
    new RegExp(String(source), 'u');
  } catch (error) {
    const expected = 'a regular expression as ECMA-262 has it, with the flag u';
    faults.push(fault(code, (error as Error).message, { pointer, expected }));
  }
}

/** The tokens of a reference `#/…`; undefined for an anchor or another whole schema, which the library finds where keywords hold one. */
function pointerOf(reference: string): readonly string[] | undefined {
  const fragment = reference.slice(reference.indexOf('#') + 1);
  return reference.includes('#') && fragment.startsWith('/') ? fragment.slice(1).split('/') : undefined;
}

/** Whether tokens lead to where a keyword holds a schema, which is checked: the library follows a reference anywhere. */
function leadToSchema(tokens: readonly string[]): boolean {
  for (let at = 0; at < tokens.length; at++) {
    const holds = KEYWORDS.get(tokens[at] ?? '');
    if (holds === undefined || holds === 'value') return false;
    // The name or the position behind the keyword.
    if (holds !== 'schema') at += 1;
    if (at === tokens.length) return false;
  }
  return true;
}

function checkValue(walk: Walk, name: string, value: unknown, pointer: string): void {
  const { code, faults } = walk;
  if (name === 'pattern' && typeof value === 'string') checkPattern(walk, value, pointer);
  // An encoded slash would be another place to another reader.
  if (name === '$ref' && typeof value === 'string' && (/%2f/i.test(value) || !leadToSchema(pointerOf(value) ?? []))) {
    const expected = 'a reference to a schema that a keyword holds, such as #/$defs/name';
    faults.push(fault(code, `$ref ${value.slice(0, 100)} leads to what is no schema`, { pointer, expected }));
  }
  if (name === 'format' && typeof value === 'string' && !FORMATS.includes(value)) {
    faults.push(fault(code, `no format "${value}"`, { pointer, expected: `one of ${FORMATS.join(', ')}` }));
  }
  // Of draft 4 they were true or false, and the library still takes those.
  if (/^exclusive/.test(name) && typeof value !== 'number') {
    faults.push(fault(code, `${name} is no number`, { pointer, expected: 'the bound itself, as a number' }));
  }
  if (name === '$schema' && !(typeof value === 'string' && DRAFT.test(value))) {
    const expected = 'https://json-schema.org/draft/2020-12/schema, or no $schema';
    faults.push(fault(code, 'another draft of JSON Schema', { pointer, expected }));
  }
}

/** The schemas that a keyword holds, each with its place. */
export function heldBy(holds: Holds, value: unknown, pointer: string): [unknown, string][] {
  switch (holds) {
    case 'value':
      return [];
    case 'schema':
      return [[value, pointer]];
    case 'schemas':
    case 'named':
      return typeof value === 'object' && value !== null
        ? Object.entries(value).map(([name, one]) => [one, `${pointer}/${escapePointer(name)}`])
        : [];
  }
}

function walkSchema(walk: Walk, schema: unknown, pointer: string, depth: number): void {
  if (!isObject(schema)) return;
  const { code, faults } = walk;
  if (depth > MAX_SCHEMA_DEPTH) {
    faults.push(fault(code, 'the schema is too deep', { pointer, expected: `at most ${MAX_SCHEMA_DEPTH} levels` }));
    return;
  }
  for (const [name, value] of Object.entries(schema)) {
    const place = `${pointer}/${escapePointer(name)}`;
    const holds = KEYWORDS.get(name);
    if (holds === undefined) {
      if (isAnnotation(name)) continue;
      const expected = INSTEAD.get(name) ?? 'a keyword of JSON Schema 2020-12, or an annotation x-…';
      faults.push(fault(code, `no keyword "${name}"`, { pointer: place, expected }));
      continue;
    }
    checkValue(walk, name, value, place);
    if (name === 'patternProperties' && isObject(value)) {
      for (const source of Object.keys(value)) checkPattern(walk, source, `${place}/${escapePointer(source)}`);
    }
    for (const [held, at] of heldBy(holds, value, place)) walkSchema(walk, held, at, depth + 1);
  }
}

/** What in a schema is not understood, and so would be judged wrongly or not at all: each with its place. */
export function keywordFaults(schema: unknown, code: ErrorCode, base: string): Fault[] {
  const walk: Walk = { code, faults: [] };
  walkSchema(walk, schema, base, 0);
  return walk.faults;
}
