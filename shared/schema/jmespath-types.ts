/** What the library takes for an `&expression`: those of the expression itself, and nothing that a document says. Pure. */
import { TreeInterpreter, TYPE_EXPREF, TYPE_OBJECT } from '@jmespath-community/jmespath';

/** No JSON can have it. */
const EXPRESSION = Symbol('expression');

/** The syntax tree of an `&expression`: the library gives all that it has to the value which functions get. */
export const markedExpression = (tree: object): object => ({ ...tree, [EXPRESSION]: true });

interface Runtime {
  getTypeName(value: unknown): number | undefined;
}

/** Of the class, since every `let` makes a runtime of its own. */
const runtime = Object.getPrototypeOf(TreeInterpreter.runtime) as Runtime;
const typeName = runtime.getTypeName;

/** The library goes by a member `expref`, which a document may have too: its data would be run. */
runtime.getTypeName = (value) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return typeName(value);
  return EXPRESSION in value ? TYPE_EXPREF : TYPE_OBJECT;
};
