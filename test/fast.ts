import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { graphOf, importsOf } from './house/graph.ts';
import { withoutTypes } from './house/purity.ts';
import type { SourceFile } from './house/rule.ts';

/** What takes a server beside nats-server, a stack, a service or a processor as a process: who loads one of these starts it. */
const DEAR = /^harness\/(servers\/|modal\/|stack\.ts$|service-process\.ts$)|^processors\/run-processor\.ts$/;

/** A suite that starts programs itself: git, Python, copies of the project. */
const startsPrograms = ({ path: file, text }: SourceFile): boolean =>
  file.endsWith('.test.ts') && importsOf(text).includes('node:child_process');

/** Dear, and yet run: what another Node must not break, from the hashes by each engine to a plan from command to end. */
const WORTH_IT: readonly string[] = ['world/blake3', 'runtime/mock', 'ledger/audit', 'services/plan-life'].map(
  (name) => `${name}.test.ts`,
);

async function sourcesOf(root: string): Promise<SourceFile[]> {
  const paths = (await readdir(root, { recursive: true })).filter((file) => file.endsWith('.ts'));
  const read = async (file: string): Promise<SourceFile> => ({
    path: file,
    text: withoutTypes(await readFile(path.join(root, file), 'utf8')),
  });
  return Promise.all(paths.map(read));
}

/** Of the suites below `root` those that load, over however many files, nothing dear. */
export async function fastSuites(root: string): Promise<ReadonlySet<string>> {
  const sources = await sourcesOf(root);
  const graph = graphOf(sources);
  const dear = new Set(sources.filter((file) => DEAR.test(file.path) || startsPrograms(file)).map((file) => file.path));
  const isDear = (file: string, seen: Set<string>): boolean => {
    if (dear.has(file)) return true;
    if (seen.has(file)) return false;
    seen.add(file);
    return (graph.get(file) ?? []).some((to) => isDear(to, seen));
  };
  const suites = [...graph.keys()].filter((file) => file.endsWith('.test.ts'));
  return new Set(suites.filter((file) => WORTH_IT.includes(file) || !isDear(file, new Set())));
}
