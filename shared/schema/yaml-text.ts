/** YAML as a way to write JSON: what JSON cannot hold, or would hold as something else, is refused with its place. Pure. */
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml';
import { type Fault, fault } from '../errors/isomorph-error.ts';
import { endOfJson } from './json-place.ts';
import { MAX_JSON_DEPTH, type ReadResult, readJson, survivesDouble } from './json-text.ts';

/** Nodes that aliases may stand for in all, each counted as often as it stands there. */
const MAX_ALIASED = 1_000;
const MAX_FAULTS = 20;

interface YamlReading {
  readonly lines: LineCounter;
  readonly faults: Fault[];
}

function tell({ lines, faults }: YamlReading, node: Node, message: string, expected: string): void {
  const { line, col } = lines.linePos(node.range?.[0] ?? 0);
  faults.push(fault('ERR_NOT_YAML', message, { pointer: `line ${line}, column ${col}`, expected }));
}

function checkScalar(reading: YamlReading, node: Node): void {
  if (!isScalar(node)) return;
  const { value, source = '' } = node;
  if (typeof value === 'string' && !value.isWellFormed()) {
    tell(reading, node, 'a text with half a character', 'Unicode text without lone surrogates');
  }
  if (typeof value === 'bigint' || (typeof value === 'number' && !isSame(value, source))) {
    tell(reading, node, `no double is ${source.slice(0, 40)}`, 'a number that a double holds, or a quoted string');
  }
}

/** Whether a number is what its text says; YAML writes some that JSON has not, such as 0x1F and .inf. */
function isSame(value: number, source: string): boolean {
  if (!Number.isFinite(value)) return false;
  if (/^0[xo]/i.test(source)) return BigInt(source.toLowerCase()) === BigInt(value);
  return survivesDouble(
    source
      .replace(/^\+/, '')
      .replace(/^(-?)\./, '$10.')
      .replace(/\.(?=[eE]|$)/, ''),
  );
}

/** What stands for what, as far as a document was looked through; to ask the parser is to look through all of it each time. */
interface Aliases {
  readonly anchors: Map<string, Node>;
  readonly targets: Map<Node, Node>;
  readonly sizes: Map<Node, number>;
}

/** How many nodes an alias stands for, in it and in the aliases inside it; known ones are not counted again. */
function sizeOf(node: Node, aliases: Aliases): number {
  const before = aliases.sizes.get(node);
  if (before !== undefined) return before;
  // A node that holds itself has no end.
  aliases.sizes.set(node, Number.POSITIVE_INFINITY);
  let size = 0;
  visit(node, (_, inner) => {
    size += 1;
    const target = inner === null ? undefined : aliases.targets.get(inner as Node);
    if (target !== undefined) size += sizeOf(target, aliases);
    return undefined;
  });
  aliases.sizes.set(node, size);
  return size;
}

/** The names of a mapping; the parser would compare each with all before it. */
function checkNames(reading: YamlReading, map: YAMLMap): void {
  const names = new Set<string>();
  for (const { key } of map.items) {
    const node = (key ?? map) as Node;
    if (!isScalar(key) || typeof key.value !== 'string') {
      tell(reading, node, 'a name that is no text', 'a string, quoted where it looks like something else');
    } else if (names.has(key.value)) {
      tell(reading, node, `the name ${JSON.stringify(key.value.slice(0, 40))} is there twice`, 'each name once');
    } else names.add(key.value);
    if (reading.faults.length >= MAX_FAULTS) return;
  }
}

function check(document: Document, reading: YamlReading): void {
  const aliases: Aliases = { anchors: new Map(), targets: new Map(), sizes: new Map() };
  let aliased = 0;
  visit(document, (_, node, path) => {
    if (reading.faults.length >= MAX_FAULTS) return visit.BREAK;
    // What is left out, such as a value behind a dash, is null.
    if (node === null) return undefined;
    const one = node as Node;
    if (path.length > MAX_JSON_DEPTH && path.filter(isCollection).length > MAX_JSON_DEPTH) {
      tell(reading, one, 'it is too deep', `at most ${MAX_JSON_DEPTH} lists and mappings in each other`);
      return visit.BREAK;
    }
    // Only a tag that is written stands at its node: one such as !!str would make a value another than it looks.
    const { tag, anchor } = one as { tag?: string; anchor?: string };
    if (tag !== undefined) {
      tell(reading, one, `JSON has no ${tag.replace('tag:yaml.org,2002:', '!!')}`, 'a value without a tag');
      return visit.SKIP;
    }
    if (anchor !== undefined) aliases.anchors.set(anchor, one);
    if (isAlias(node)) {
      const target = aliases.anchors.get(node.source);
      if (target === undefined) {
        tell(reading, one, `nothing before it is called &${node.source}`, 'an alias of something before it');
        return undefined;
      }
      aliases.targets.set(one, target);
      aliased += sizeOf(target, aliases);
      if (aliased > MAX_ALIASED) {
        tell(reading, one, 'aliases stand for too much', `at most ${MAX_ALIASED} values by aliases`);
        return visit.BREAK;
      }
    }
    if (isMap(node)) checkNames(reading, node);
    checkScalar(reading, one);
    return undefined;
  });
}

/** A file of a plan or a registry is far smaller; the parser itself is not made for what is large. */
const MAX_CHARACTERS = 1024 * 1024;

/**
 * How deep a text can be at most, before any parser sees it: brackets, and blocks by their indents. It counts some that stand in
 * texts, so it is generous.
 */
function mayBeTooDeep(text: string): boolean {
  const most = 4 * MAX_JSON_DEPTH;
  let open = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '[' || character === '{') open += 1;
    else if (character === ']' || character === '}') open = Math.max(0, open - 1);
    if (open > most) return true;
  }
  // Blocks need an indent each, and sequences in a line a dash each.
  return /^[ \-?:]{1024}/m.test(text);
}

/** Reads one YAML 1.2 document, which any JSON text is too; faults tell line and column. */
export function readYaml(text: string): ReadResult<unknown> {
  const lines = new LineCounter();
  const reading: YamlReading = { lines, faults: [] };
  if (text.length > MAX_CHARACTERS || mayBeTooDeep(text)) {
    const expected = `at most ${MAX_CHARACTERS} characters, and ${MAX_JSON_DEPTH} lists and mappings in each other`;
    return {
      ok: false,
      faults: [fault('ERR_NOT_YAML', 'it is too large or too deep', { pointer: 'line 1, column 1', expected })],
    };
  }
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // Judged in `checkNames`, in time in proportion to the text.
    uniqueKeys: false,
    intAsBigInt: false,
    logLevel: 'error',
  });
  if (document.directives?.yaml.explicit === true && document.directives.yaml.version !== '1.2') {
    const place = { pointer: 'line 1, column 1', expected: 'YAML 1.2: another version reads the same text otherwise' };
    reading.faults.push(fault('ERR_NOT_YAML', `%YAML ${document.directives.yaml.version}`, place));
  }
  for (const { message, pos } of [...document.errors, ...document.warnings].slice(0, MAX_FAULTS)) {
    const { line, col } = lines.linePos(pos[0]);
    const place = { pointer: `line ${line}, column ${col}`, expected: 'YAML 1.2, or JSON' };
    reading.faults.push(fault('ERR_NOT_YAML', message.split('\n')[0] ?? '', place));
  }
  if (reading.faults.length === 0) check(document, reading);
  if (reading.faults.length > 0) return { ok: false, faults: reading.faults };
  return { ok: true, value: document.toJS({ maxAliasCount: -1 }) };
}

/** What begins so was meant as JSON: the braces of YAML, `{plan_id: x}`, need no quotes. */
const BEGINS_AS_JSON = /^\s*(?:\{\s*["}]|\[)/;

/** JSON of a file, judged as the same bytes on NATS are; where it stops being JSON is told as editors find it. */
function readJsonText(text: string): ReadResult<unknown> {
  const read = readJson(text);
  if (read.ok) return read;
  const before = text.slice(0, endOfJson(text)).split('\n');
  const place = `line ${before.length}, column ${1 + (before.at(-1)?.length ?? 0)}`;
  const expected = 'JSON: no comment, no comma before } or ], no number such as 01 or .5';
  const faults = read.faults.map((one) => (one.code === 'ERR_NOT_JSON' ? { ...one, pointer: place, expected } : one));
  return { ok: false, faults };
}

/**
 * Reads a file of JSON or YAML. What is called `.json` or begins as JSON does is JSON and nothing else, so that it is
 * taken, or refused, as the same bytes on NATS are.
 * @param name of the file, if it has one
 */
export function readDocumentBytes(bytes: Uint8Array, name = ''): ReadResult<unknown> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return {
      ok: false,
      faults: [fault('ERR_NOT_YAML', 'it is not UTF-8', { expected: 'YAML 1.2, or JSON, in UTF-8' })],
    };
  }
  return /\.json$/i.test(name) || BEGINS_AS_JSON.test(text) ? readJsonText(text) : readYaml(text);
}

/** Where a fault is, as editors open it where there is a line: `file:2:7`, else `file#/pointer`. */
export function placeInFile(file: string, pointer: string): string {
  const [, line, column] = /^line (\d+), column (\d+)$/.exec(pointer) ?? [];
  return line === undefined ? `${file}#${pointer}` : `${file}:${line}:${column}`;
}
