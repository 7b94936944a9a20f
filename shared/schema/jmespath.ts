/** JMESPath as users write it in predicates: the community dialect (jmespath.site). Pure; cost is bounded by who calls. */
import {
  compile,
  type JSONValue,
  register,
  TreeInterpreter,
  TYPE_ANY,
  TYPE_STRING,
  tokenize,
} from '@jmespath-community/jmespath';
import type { ErrorCode } from '../errors/codes.ts';
import { type Fault, fault } from '../errors/isomorph-error.ts';
import { ownFunction } from './jmespath-functions.ts';
import { markedExpression } from './jmespath-types.ts';
import { readJson } from './json-text.ts';
import { Remembered } from './remembered.ts';

/** A node of the library's syntax tree: its type, and nodes or plain values under names that differ by type. */
interface Node {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Least and most arguments of every function of the dialect. */
export const ARITY: ReadonlyMap<string, readonly [least: number, most: number]> = new Map(
  Object.entries({
    '1 1':
      'abs avg ceil floor from_items items keys length lower max min reverse sort sum to_array to_number to_string type upper values',
    '2 2': 'contains ends_with group_by join map max_by min_by sort_by starts_with',
    '1 2': 'trim trim_left trim_right',
    '2 3': 'pad_left pad_right split',
    '2 4': 'find_first find_last',
    '3 4': 'replace',
    '1 Infinity': 'merge not_null zip',
  }).flatMap(([range, names]) => {
    const [least = 0, most = 0] = range.split(' ').map(Number);
    return names.split(' ').map((name): [string, readonly [number, number]] => [name, [least, most]]);
  }),
);

/** Names that every object of the language has: the library would find them where the document has no such member. */
const INHERITED: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));

/** No function of the dialect can have this name: a user's call of it is refused as unknown. */
const OWN_FIELD = 'own field';

const ownField = ([value, name]: unknown[]): JSONValue => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  return Object.hasOwn(value, String(name)) ? ((value as Record<string, JSONValue>)[String(name)] ?? null) : null;
};

register(OWN_FIELD, ownField as Parameters<typeof register>[1], [{ types: [TYPE_ANY] }, { types: [TYPE_STRING] }]);

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';

/** Every node of a tree, with what is no node left alone: a literal may look like one. */
function mapNodes(node: Node, change: (node: Node) => Node): Node {
  if (node.type === 'Literal') return node;
  const fields = Object.entries(node).map(([name, value]) => {
    if (isNode(value)) return [name, mapNodes(value, change)];
    if (!Array.isArray(value)) return [name, value];
    return [name, value.map((one: unknown) => (isNode(one) ? mapNodes(one, change) : mapKeyed(one, change)))];
  });
  return change(Object.fromEntries(fields) as Node);
}

/** A pair of a multi-select hash: a name and the node of its value, with no type of its own. */
function mapKeyed(pair: unknown, change: (node: Node) => Node): unknown {
  const { value } = (pair ?? {}) as { value?: unknown };
  return isNode(value) ? { ...(pair as object), value: mapNodes(value, change) } : pair;
}

/** What the library would judge wrongly: look-ups of inherited names find the document's own member alone. */
function corrected(node: Node): Node {
  if (node.type === 'ExpressionReference') return { ...node, child: markedExpression(node.child as object) };
  if (node.type === 'Function') return { ...node, name: ownFunction(String(node.name)) ?? node.name };
  return node.type === 'Field' && INHERITED.has(String(node.name))
    ? { type: 'Function', name: OWN_FIELD, children: [{ type: 'Current' }, { type: 'Literal', value: node.name }] }
    : node;
}

/** Why a part cannot work whatever the document is; undefined when it can. */
function partFault({ type, name, children }: Node): string | undefined {
  // The library would set what an object inherits from.
  const names = type === 'MultiSelectHash' && Array.isArray(children) ? children.map((one) => (one as Node).name) : [];
  if (names.includes('__proto__')) return '__proto__ is no name that a result can have';
  if (type !== 'Function') return undefined;
  const arity = ARITY.get(String(name));
  if (arity === undefined) return `no function ${String(name)}()`;
  const count = Array.isArray(children) ? children.length : 0;
  const [least, most] = arity;
  if (count >= least && count <= most) return undefined;
  const takes =
    least === most ? `${least}` : most === Number.POSITIVE_INFINITY ? `at least ${least}` : `${least} to ${most}`;
  return `${String(name)}() takes ${takes} argument${takes === '1' ? '' : 's'}, not ${count}`;
}

/** `'` opens a raw string, `"` a quoted name, `` ` `` a literal; a backslash takes the next character with it. */
function quoteFault(expression: string): { readonly at: number; readonly message: string } | undefined {
  let open: { readonly quote: string; readonly at: number } | undefined;
  for (let at = 0; at < expression.length; at++) {
    const character = expression[at] ?? '';
    if (character === '\\' && open !== undefined) {
      // The dialects differ: one or two backslashes.
      if (open.quote === "'" && expression[at + 1] === '\\') {
        return { at, message: 'two backslashes in a raw string mean one or two of them, depending on the dialect' };
      }
      at += 1;
    } else if (open === undefined && /['"`]/.test(character)) open = { quote: character, at };
    else if (character === open?.quote) open = undefined;
  }
  return open === undefined ? undefined : { at: open.at, message: `this ${open.quote} is never closed` };
}

const parses = (text: string): string | undefined => {
  try {
    compile(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
};

/** The first of `count` at which `fails`, which it does from there on; `count` when it never does. */
function firstAt(count: number, fails: (index: number) => boolean): number {
  let [least, most] = [0, count];
  while (least < most) {
    const middle = (least + most) >> 1;
    if (fails(middle)) most = middle;
    else least = middle + 1;
  }
  return least;
}

const isLexical = (text: string): boolean => {
  try {
    tokenize(text);
    return true;
  } catch {
    return false;
  }
};

/** A quoted part, all of which are closed, or one character: at the start of each, what stands before it can be cut off. */
const PART = /(['"`])(?:\\[\s\S]|(?!\1)[\s\S])*\1|[\s\S]/g;

/**
 * Where an expression that does not parse goes wrong: the library does not say, so beginnings are tried. One that is wrong stays
 * wrong however it goes on, so they are halved: trying each of them took seconds.
 */
function faultyIndex(expression: string): number {
  if (!isLexical(expression)) {
    const starts = [...expression.matchAll(PART)].map(({ index }) => index);
    const endOf = (index: number): number => starts[index + 1] ?? expression.length;
    return starts[firstAt(starts.length, (index) => !isLexical(expression.slice(0, endOf(index))))] ?? 0;
  }
  const tokens = tokenize(expression) as readonly { readonly start: number }[];
  const wrong = firstAt(tokens.length, (index) => {
    const message = parses(expression.slice(0, tokens[index + 1]?.start ?? expression.length));
    return message !== undefined && !/EOF/.test(message);
  });
  return tokens[wrong]?.start ?? expression.length;
}

/** A literal or quoted name that two readers would take differently: the same is refused where documents are read. */
function literalFault(expression: string): { readonly at: number; readonly message: string } | undefined {
  for (const { 0: part, 1: quote, index } of expression.matchAll(PART)) {
    if (quote !== '`' && quote !== '"') continue;
    // The library has taken it, so it is JSON.
    const read = readJson(quote === '"' ? part : part.slice(1, -1).replace('\\`', '`'));
    const [first] = read.ok ? [] : read.faults;
    if (first === undefined) continue;
    const place = first.pointer === '' ? '' : ` at ${first.pointer}`;
    return { at: index, message: `${first.message}${place}, expected ${first.expected}` };
  }
  return undefined;
}

interface Usable {
  readonly ok: true;
  search(document: unknown): unknown;
}

export type CompiledExpression = Usable | { readonly ok: false; readonly faults: readonly Fault[] };

const refuse = (code: ErrorCode, message: string, pointer: string, expected: string): CompiledExpression => ({
  ok: false,
  faults: [fault(code, message, { pointer, expected })],
});

const DIALECT = 'an expression of JMESPath Community (jmespath.site)';

const remembered = new Remembered<Usable>();

/**
 * Compiles an expression; what it says of a document may still throw, such as a function on a value of a wrong type.
 * @param pointer of the expression in its document, for its faults, which tell the column too
 */
export function compileExpression(expression: string, code: ErrorCode, pointer: string): CompiledExpression {
  const known = remembered.get(expression);
  if (known !== undefined) return known;
  const quotes = quoteFault(expression);
  if (quotes !== undefined) return refuse(code, `column ${quotes.at + 1}: ${quotes.message}`, pointer, DIALECT);
  let tree: Node;
  try {
    tree = compile(expression) as unknown as Node;
  } catch (error) {
    return refuse(code, `column ${faultyIndex(expression) + 1}: ${(error as Error).message}`, pointer, DIALECT);
  }
  const literal = literalFault(expression);
  if (literal !== undefined) return refuse(code, `column ${literal.at + 1}: ${literal.message}`, pointer, DIALECT);
  const calls: string[] = [];
  const own = mapNodes(tree, (node) => {
    const wrong = partFault(node);
    if (wrong !== undefined) calls.push(wrong);
    return corrected(node);
  });
  const [first] = calls;
  if (first !== undefined) {
    const name = /(\w+)(?:\(| is no name)/.exec(first)?.[1] ?? '';
    const column = expression.indexOf(name) + 1;
    const expected = 'a function of JMESPath Community with its arguments, or another name';
    return refuse(code, `column ${column}: ${first}`, pointer, expected);
  }
  const compiled: Usable = {
    ok: true,
    search: (document) => TreeInterpreter.search(own as never, document as JSONValue),
  };
  remembered.set(expression, compiled);
  return compiled;
}
