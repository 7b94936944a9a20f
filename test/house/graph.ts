import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { SourceFile } from './rule.ts';

/** Every module specifier of a file: static, re-exported, of types, dynamic and required. */
export const importsOf = (text: string): string[] =>
  [...text.matchAll(/(?:\bfrom\s*|\bimport\s*|\bimport\(\s*|\brequire\(\s*|\bresolve\(\s*)(['"`])([^'"`\n$]+)\1/g)].map(
    (match) => match[2] ?? '',
  );

/** Names that a file of ours has beside its path: what each means on Node. */
const { imports: NAMES } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly imports: Readonly<Record<string, { readonly default: string }>>;
};

/** A specifier of a file of ours as its path from the root of the project; packages stay as they are. */
export function target(file: string, specifier: string): string {
  if (specifier.startsWith('.')) return path.posix.join(path.posix.dirname(file), specifier);
  if (specifier.startsWith('#')) return path.posix.normalize(NAMES[specifier]?.default ?? specifier);
  return specifier;
}

export type Graph = ReadonlyMap<string, readonly string[]>;

/** Which file imports which. */
export function graphOf(files: readonly SourceFile[]): Graph {
  const known = new Set(files.map((file) => file.path));
  return new Map(
    files
      .filter((file) => /\.(ts|mjs)$/.test(file.path))
      .map((file) => [
        file.path,
        importsOf(file.text)
          .map((to) => target(file.path, to))
          .filter((to) => known.has(to)),
      ]),
  );
}

/** Everything that each node reaches that reaches it too: the circles, each once (Tarjan's components). */
export function circlesOf(graph: Graph): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const circles: string[][] = [];
  const visit = (node: string): number => {
    const own = index.size;
    index.set(node, own);
    low.set(node, own);
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      const reach = index.has(next) ? (stack.includes(next) ? (index.get(next) ?? own) : own) : visit(next);
      low.set(node, Math.min(low.get(node) ?? own, reach));
    }
    const reached = low.get(node) ?? own;
    if (reached === own) {
      const circle = stack.splice(stack.indexOf(node));
      if (circle.length > 1 || graph.get(node)?.includes(node) === true) circles.push(circle.sort());
    }
    return reached;
  };
  for (const node of graph.keys()) if (!index.has(node)) visit(node);
  return circles;
}

/** The same among rooms: what a file of one imports of another. */
export function roomsOf(graph: Graph, roomOf: (file: string) => string | undefined): Graph {
  const rooms = new Map<string, Set<string>>();
  for (const [file, imports] of graph) {
    const from = roomOf(file);
    if (from === undefined) continue;
    const reached = rooms.get(from) ?? new Set();
    rooms.set(from, reached);
    for (const one of imports) {
      const to = roomOf(one);
      if (to !== undefined && to !== from) reached.add(to);
    }
  }
  return new Map([...rooms].map(([from, to]) => [from, [...to]]));
}
