import { target } from './graph.ts';
import { providerOf, under } from './imports.ts';
import type { Finding, SourceFile } from './rule.ts';

/** Static imports and re-exports of values: what is loaded together with the file that has them. */
const loadedWith = ({ path, text }: SourceFile): string[] =>
  [...text.matchAll(/^(?:import|export)\s+(?!type\b)(?:[\w*{][^;'"()=]*?\sfrom\s+)?'([^']+)'/gm)].map(([, to = '']) =>
    target(path, to),
  );

export const LAZY = 'an SDK is loaded when its driver is asked for';

/**
 * An SDK costs nothing to those who use another: a file may load one at its top only inside of the places of its provider,
 * and whoever stands outside loads that file by `import()`.
 */
export function eagerlyLoaded(files: readonly SourceFile[]): Finding[] {
  const product = files.filter((file) => /\.(ts|mjs)$/.test(file.path) && !under(file.path, 'test', 'bench'));
  const loads = new Map(product.map((file) => [file.path, loadedWith(file)]));
  const findings: Finding[] = [];
  for (const [file, imports] of loads) {
    for (const sdk of imports) {
      const places = providerOf(sdk);
      if (places === undefined) continue;
      for (const loader of loadersOf(file, loads, places)) {
        findings.push({
          rule: LAZY,
          path: loader,
          message: `loads ${sdk} at its start, by ${file}: write await import()`,
        });
      }
    }
  }
  return findings;
}

/** Who loads `file` with itself, from outside of `places`; a file outside is its own loader. */
function loadersOf(
  file: string,
  loads: ReadonlyMap<string, readonly string[]>,
  places: readonly string[],
  seen = new Set<string>(),
): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  if (!under(file, ...places)) return [file];
  const above = [...loads].filter(([, imports]) => imports.includes(file));
  return above.flatMap(([loader]) => loadersOf(loader, loads, places, seen));
}
