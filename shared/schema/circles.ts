/** References that lead back to where they stand, where that keeps the library from knowing what is evaluated. Pure. */
import { heldBy, isObject, KEYWORDS } from './keywords.ts';

type Schema = Record<string, unknown>;

/** Keywords whose schemas look at the same value, and evaluate it for the schema around. */
const IN_PLACE: readonly string[] = ['allOf', 'anyOf', 'oneOf', 'if', 'then', 'else', 'dependentSchemas'];

const heldIn = (schema: Schema, isWanted: (keyword: string) => boolean): Schema[] =>
  Object.entries(schema)
    .filter(([name]) => isWanted(name))
    .flatMap(([name, value]) => heldBy(KEYWORDS.get(name) ?? 'value', value, ''))
    .map(([one]) => one)
    .filter(isObject);

/** All that `next` leads to, beginnings included. */
function reached(from: readonly Schema[], next: (schema: Schema) => readonly Schema[]): Set<Schema> {
  const found = new Set(from);
  for (const one of found) for (const other of next(one)) found.add(other);
  return found;
}

const tokenOf = (token: string): string => decodeURIComponent(token).replaceAll('~1', '/').replaceAll('~0', '~');

/** What a reference leads to; where another base than the document's may count, the whole: that leads everywhere. */
function resolver(root: Schema, all: ReadonlySet<Schema>): (reference: string) => Schema {
  const anchors = new Map([...all].map((one) => [one.$anchor, one]));
  const hasBases = [...all].some((one) => '$id' in one);
  return (reference) => {
    if (hasBases) return root;
    if (!reference.startsWith('#/')) return anchors.get(tokenOf(reference.slice(1))) ?? root;
    let at: unknown = root;
    for (const token of reference.slice(2).split('/').map(tokenOf)) at = (at as Schema | undefined)?.[token];
    return isObject(at) ? at : root;
  };
}

/** The first `$ref` that is not known to evaluate what it should, when it is met on the way to itself; undefined where none is. */
export function circularReference(root: Schema): string | undefined {
  const all = reached([root], (one) => heldIn(one, () => true));
  const targetOf = resolver(root, all);
  const targets = new Map(
    [...all].flatMap((one) => (typeof one.$ref === 'string' ? [[one, targetOf(one.$ref)] as const] : [])),
  );
  const asking = [...all].filter((one) => 'unevaluatedProperties' in one || 'unevaluatedItems' in one);
  const traced = reached([root, ...targets.values(), ...asking], (one) =>
    heldIn(one, (name) => IN_PLACE.includes(name)),
  );
  const next = (one: Schema): Schema[] => [...heldIn(one, () => true), ...[targets.get(one) ?? []].flat()];
  for (const [one, target] of targets) {
    if (traced.has(one) && reached([target], next).has(one)) return String(one.$ref);
  }
  return undefined;
}
