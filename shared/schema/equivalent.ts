/** A schema that says the same in words that the library judges rightly. Pure. */
import { heldBy, isObject, KEYWORDS } from './keywords.ts';

type Schema = Record<string, unknown>;

const BOUNDS = [
  { open: 'exclusiveMinimum', closed: 'minimum', sign: 1 },
  { open: 'exclusiveMaximum', closed: 'maximum', sign: -1 },
] as const;

/** The library judges only the exclusive one of two bounds on one side: the one that says more stays. */
function oneBoundASide(schema: Schema): Schema {
  const dropped = BOUNDS.flatMap(({ open, closed, sign }) => {
    const [exclusive, inclusive] = [schema[open], schema[closed]];
    if (typeof exclusive !== 'number' || typeof inclusive !== 'number') return [];
    return [sign * exclusive >= sign * inclusive ? closed : open];
  });
  return Object.fromEntries(Object.entries(schema).filter(([name]) => !dropped.includes(name as never)));
}

/** The library takes no integer for a number where a schema around or within it names the other of the two types. */
function integersAreNumbers(schema: Schema): Schema {
  const types = [schema.type].flat();
  return types.includes('number') && !types.includes('integer') ? { ...schema, type: [...types, 'integer'] } : schema;
}

const hasParts = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length > 0;

const namesParts = (name: string, value: unknown): boolean =>
  name === 'const' ? hasParts(value) : name === 'enum' && Array.isArray(value) && value.some(hasParts);

/**
 * To the library, what a `const` or `enum` names has no part left that `unevaluated…` would be about. What stands in `not`
 * evaluates nothing, so twice `not` is the same assertion without that.
 */
function evaluatingNothing(schema: Schema): Schema {
  const named = Object.entries(schema).filter(([name, value]) => namesParts(name, value));
  if (named.length === 0) return schema;
  const rest = Object.entries(schema).filter(([name, value]) => !namesParts(name, value));
  const allOf = schema.allOf ?? [];
  // A wrong allOf is left for the library to refuse.
  if (!Array.isArray(allOf)) return schema;
  // Behind what is there, so that references to it stay right.
  const hidden = named.map(([name, value]) => ({ not: { not: { [name]: value } } }));
  return { ...Object.fromEntries(rest), allOf: [...allOf, ...hidden] };
}

/** Every schema within a schema, and then itself, changed. */
export function changed(schema: unknown, change: (schema: Schema) => Schema): unknown {
  if (!isObject(schema)) return schema;
  const entries = Object.entries(schema).map(([name, value]) => {
    switch (KEYWORDS.get(name)) {
      case 'schema':
        return [name, changed(value, change)];
      case 'schemas':
        return [name, Array.isArray(value) ? value.map((one) => changed(one, change)) : value];
      case 'named':
        return [name, changedNamed(value, change)];
      default:
        return [name, value];
    }
  });
  return change(Object.fromEntries(entries) as Schema);
}

const changedNamed = (named: unknown, change: (schema: Schema) => Schema): unknown =>
  isObject(named)
    ? Object.fromEntries(Object.entries(named).map(([name, one]) => [name, changed(one, change)]))
    : named;

/** Whether `unevaluated…` is in it anywhere. */
export function looksAtTheRest(schema: unknown): boolean {
  if (!isObject(schema)) return false;
  return Object.entries(schema).some(
    ([name, value]) =>
      name.startsWith('unevaluated') ||
      heldBy(KEYWORDS.get(name) ?? 'value', value, '').some(([one]) => looksAtTheRest(one)),
  );
}

/** Branches of which one may fail while the schema around it holds. */
const BRANCHES: readonly string[] = ['anyOf', 'oneOf', 'if'];

/** What may evaluate parts before the schema that it stands in fails. */
const EVALUATING: readonly string[] = ['$ref', 'allOf', ...BRANCHES, 'dependentSchemas', 'contains'];

const isReference = (schema: Schema): boolean => '$ref' in schema && Object.keys(schema).length === 1;

/**
 * To the library, a branch that fails has still evaluated what it looked at before. What a reference leads to counts only when
 * it holds, so such a branch becomes one, to a definition of a name that no text of the schema has.
 */
function withOwnBranches(root: Schema): Schema {
  const text = JSON.stringify(root);
  let prefix = 'branch';
  while (text.includes(prefix)) prefix += '-';
  const moved: Schema = {};
  const move = (branch: unknown): unknown => {
    if (!isObject(branch) || isReference(branch)) return branch;
    if (!EVALUATING.some((name) => name in branch)) return branch;
    const name = `${prefix}${Object.keys(moved).length}`;
    moved[name] = branch;
    return { $ref: `#/$defs/${name}` };
  };
  const own = changed(root, (schema) => {
    const entries = Object.entries(schema).map(([name, value]) => {
      if (!BRANCHES.includes(name)) return [name, value];
      return [name, Array.isArray(value) ? value.map(move) : move(value)];
    });
    return Object.fromEntries(entries) as Schema;
  }) as Schema;
  const defs = own.$defs ?? {};
  return isObject(defs) ? { ...own, $defs: { ...defs, ...moved } } : own;
}

const judgingTheRest = (schema: Schema): Schema => withOwnBranches(changed(schema, evaluatingNothing) as Schema);

/**
 * What the library is to be given in place of a schema whose keywords have been checked: `judged` for the verdict, and `told` for
 * reasons, with every place as the user wrote it, which may take what does not fit.
 */
export function equivalent(schema: Schema | boolean): Readonly<Record<'told' | 'judged', Schema | boolean>> {
  const told = changed(schema, (one) => integersAreNumbers(oneBoundASide(one))) as Schema | boolean;
  return { told, judged: isObject(told) && looksAtTheRest(told) ? judgingTheRest(told) : told };
}
