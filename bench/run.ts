/**
 * `npm run bench -- <name>`: runs `bench/<name>.ts`, prints a table for people and, as the last line, one JSON object for
 * programs. Exit code 2 when there is no such bench.
 */
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Bench, type BenchResult, machine } from './harness.ts';

/** Files of this folder that are no benches. */
const PARTS = new Set(['harness', 'run']);

async function benchNames(): Promise<readonly string[]> {
  const files = await readdir(fileURLToPath(new URL('.', import.meta.url)));
  return files
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -'.ts'.length))
    .filter((name) => !PARTS.has(name))
    .sort();
}

const shown = (value: number): string => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3));

function print(name: string, { ratios, figures, notes = [] }: BenchResult): void {
  const width = Math.max(...[...Object.keys(ratios), ...Object.keys(figures)].map((key) => key.length));
  const row = ([key, value]: readonly [string, number]) => `  ${key.padEnd(width)}  ${shown(value).padStart(9)}`;
  const lines = [
    `${name}: ratios (ours over the reference)`,
    ...Object.entries(ratios).map(row),
    'figures',
    ...Object.entries(figures).map(row),
    ...notes,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  process.stdout.write(`${JSON.stringify({ bench: name, ratios, figures, machine: machine() })}\n`);
}

async function main(): Promise<number> {
  const [name = '', ...rest] = process.argv.slice(2);
  const names = await benchNames();
  if (!names.includes(name) || rest.length > 0) {
    process.stderr.write(`usage: npm run bench -- <name>, one of: ${names.join(', ')}\n`);
    return 2;
  }
  const { bench } = (await import(new URL(`./${name}.ts`, import.meta.url).href)) as { readonly bench: Bench };
  print(name, await bench());
  return 0;
}

process.exitCode = await main();
