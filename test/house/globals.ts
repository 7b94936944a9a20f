import { transformSync } from 'esbuild';

interface Impure {
  readonly what: string;
  readonly names: readonly string[];
  /** What around a name, in code as esbuild prints it, makes its use pure all the same. */
  readonly pure?: { readonly before?: RegExp; readonly after?: RegExp };
}

const IMPURE: readonly Impure[] = [
  // A `Date` of something is that instant, one of nothing is now.
  { what: 'the clock', names: ['Date'], pure: { before: /\binstanceof $/ } },
  { what: 'the clock', names: ['performance', 'Temporal'] },
  { what: 'randomness', names: ['Math'], pure: { after: /^\.(?!random\b)/ } },
  { what: 'randomness', names: ['crypto'] },
  { what: 'the process', names: ['process', 'navigator'] },
  { what: 'whatever there is', names: ['globalThis', 'global', 'window', 'self', 'eval', 'Function', 'require'] },
  { what: 'the network', names: ['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest'] },
  { what: 'the terminal', names: ['console'] },
  { what: 'timers', names: ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'] },
  { what: 'modules that are loaded as it runs', names: ['import.meta'] },
];

export const BUFFER: readonly Impure[] = [{ what: 'Buffer', names: ['Buffer'] }];

const MARK = '__impure_';
const markOf = (name: string): string => `${MARK}${name.replace('.', '_')}`;

/** Functions of an argument, though what they belong to is not. */
const PURE_MEMBERS = ['Date.parse', 'Date.UTC'];

/**
 * Whatever is used by a name has the name in its text, or an escape: where neither is, there is nothing to parse. A
 * look-up that is pure as it stands is passed over here already: most files have no other.
 */
function mayUse(text: string, names: readonly string[]): boolean {
  const plain = text.replace(/\bDate\.(?:parse|UTC)\b|\bMath\.(?!random\b)(?=\w)/g, '');
  return new RegExp(`\\b(?:${names.join('|')})\\b|\\bimport\\s*\\(|\\\\u`).test(plain);
}

/** Code without types and comments, in which every name that is bound nowhere in the file and is one of `names` is marked. */
const marked = (text: string, names: readonly string[]): string =>
  transformSync(text, {
    loader: 'ts',
    format: 'esm',
    define: Object.fromEntries([
      ...names.map((name) => [name, markOf(name)]),
      ...PURE_MEMBERS.map((name) => [name, name.replace('.', '_')]),
    ]),
  }).code;

/** `new Date(x)` with a value; a spread may be of nothing. */
const OF_AN_INSTANT = new RegExp(`\\bnew ${MARK}Date\\((?!\\)|\\.\\.\\.)`, 'g');

/**
 * What of its surroundings the code of a file uses, by its syntax tree and scopes as esbuild has them: what is said in texts
 * and comments is not done, and a name of the file's own is its own.
 */
export function impureUses(text: string, impure: readonly Impure[] = IMPURE): string[] {
  const names = impure.flatMap((one) => one.names);
  if (!mayUse(text, names)) return [];
  const code = marked(text, names).replace(OF_AN_INSTANT, '');
  const uses = impure.filter(({ names: own, pure }) =>
    own.some((name) =>
      [...code.matchAll(new RegExp(`${markOf(name)}\\b`, 'g'))].some(({ 0: { length }, index }) => {
        const isBefore = pure?.before?.test(code.slice(0, index)) === true;
        return !isBefore && pure?.after?.test(code.slice(index + length)) !== true;
      }),
    ),
  );
  const loads = /\bimport\(/.test(code) ? ['modules that are loaded as it runs'] : [];
  return [...new Set([...uses.map(({ what }) => what), ...loads])];
}
