/**
 * PGlite runs Postgres as a single session whose authenticated user is the superuser: `SET SESSION AUTHORIZATION` gives that power
 * up, and only the statements here take it back. Whatever else needs a superuser Postgres refuses itself. Pure.
 */

const WORD = /[A-Za-z_\u0080-\uffff]/;
const WORD_GOES_ON = /[\w$\u0080-\uffff]/;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y;
/** Words of a statement that decide: `set local session authorization`. */
const LOOKED_AT = 4;

/** Where what begins at `at` ends: a text, a quoted name or a comment, as Postgres reads them; undefined when nothing of that begins. */
function endOfQuoted(sql: string, at: number): number | undefined {
  const two = sql.slice(at, at + 2);
  if (two === '--') return endOfMatch(sql, at, /[^\n\r]*/y);
  if (two === '/*') return endOfComment(sql, at);
  if (/^[eE]'$/.test(two)) return endOfEscaped(sql, at + 1);
  if (sql[at] === "'") return endOfMatch(sql, at, /'(?:[^']|'')*'?/y);
  if (sql[at] === '"') return endOfMatch(sql, at, /"(?:[^"]|"")*"?/y);
  DOLLAR_TAG.lastIndex = at;
  const tag = DOLLAR_TAG.exec(sql)?.[0];
  if (tag === undefined) return undefined;
  const end = sql.indexOf(tag, at + tag.length);
  return end === -1 ? sql.length : end + tag.length;
}

function endOfMatch(sql: string, at: number, sticky: RegExp): number {
  sticky.lastIndex = at;
  return at + (sticky.exec(sql)?.[0].length ?? 0);
}

/** White space and `--` comments that a literal may go on after; a newline has to be among them (scan.l: quotecontinue). */
const BETWEEN_PARTS = /(?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*(?=')/y;

/**
 * `E'a'`, a newline and `'b\''` are one literal, and its backslashes escape to its end. Literals of the other kinds go on
 * likewise, but there a part reads as a literal of its own would.
 */
function endOfEscaped(sql: string, quote: number): number {
  for (let at = quote; ; ) {
    const end = endOfMatch(sql, at, /'(?:[^'\\]|\\[\s\S]|'')*'?/y);
    at = endOfMatch(sql, end, BETWEEN_PARTS);
    if (!/[\n\r]/.test(sql.slice(end, at))) return end;
  }
}

/** Postgres nests them. */
function endOfComment(sql: string, start: number): number {
  let depth = 0;
  let at = start;
  do {
    const two = sql.slice(at, at + 2);
    if (two === '/*') depth += 1;
    if (two === '*/') depth -= 1;
    at += two === '/*' || two === '*/' ? 2 : 1;
  } while (depth > 0 && at < sql.length);
  return at;
}

/** The first words of each statement, in lower case; a quoted name is `"`. */
function beginnings(sql: string): string[][] {
  const statements: string[][] = [[]];
  const add = (word: string): void => {
    const last = statements.at(-1);
    if (last !== undefined && last.length < LOOKED_AT) last.push(word);
  };
  for (let at = 0; at < sql.length; ) {
    const end = endOfQuoted(sql, at);
    if (end !== undefined) {
      if (sql[at] === '"') add('"');
      at = end;
    } else if (WORD.test(sql[at] ?? '')) {
      const start = at;
      while (at < sql.length && WORD_GOES_ON.test(sql[at] ?? '')) at += 1;
      add(sql.slice(start, at).toLowerCase());
    } else {
      if (sql[at] === ';') statements.push([]);
      at += 1;
    }
  }
  return statements;
}

/** Settings that give the power back, or change how a text is read, which would make this reading another than Postgres'. */
const GUARDED = new Set([
  'authorization',
  'session_authorization',
  'standard_conforming_strings',
  'client_encoding',
  'names',
  'u',
  '"',
]);

/** For how long a setting holds; `set session session authorization` is grammar too. */
const SCOPES = new Set(['session', 'local']);

function isRefused([verb, ...rest]: readonly string[]): boolean {
  if (verb === 'discard') return rest[0] === 'all';
  if (verb !== 'set' && verb !== 'reset') return false;
  return GUARDED.has(rest.find((word) => !SCOPES.has(word)) ?? '');
}

/** Whether a text holds a statement that must not reach the session. */
export const isGuarded = (sql: string): boolean => beginnings(sql).some(isRefused);
