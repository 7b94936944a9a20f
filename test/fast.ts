import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Costs } from './harness/costs.ts';
import { graphOf, importsOf } from './house/graph.ts';
import { withoutTypes } from './house/purity.ts';
import type { SourceFile } from './house/rule.ts';

/** What takes a server beside nats-server, a stack, a service or a processor as a process: who loads one of these starts it. */
const DEAR = /^harness\/(servers\/|modal\/|stack\.ts$|service-process\.ts$)|^processors\/run-processor\.ts$/;

/** A suite that starts programs itself: git, Python, copies of the project. */
const startsPrograms = ({ path: file, text }: SourceFile): boolean =>
  file.endsWith('.test.ts') && importsOf(text).includes('node:child_process');

/** What took more on Node 20, in CPU seconds, is not fast, whatever it loads: it does much, and did it there. */
const FAST_CPU_S = 5;

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

/**
 * Of the suites below `root` those that load, over however many files, nothing dear, and took little.
 * @param costs CPU seconds of suites, as far as they are known
 */
export async function fastSuites(root: string, costs: Costs): Promise<ReadonlySet<string>> {
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
  const isFast = (file: string): boolean => (costs.get(file) ?? 0) <= FAST_CPU_S && !isDear(file, new Set());
  return new Set(suites.filter((file) => WORTH_IT.includes(file) || isFast(file)));
}
