/** `node --import tsx bench/plans/profile.ts <file.cpuprofile>`: where the CPU of a profile went, as text. */
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';
import { median } from '../harness.ts';

const LINES = 40;
const US_PER_MS = 1_000;

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
    readonly columnNumber: number;
  };
  readonly children?: readonly number[];
}

interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const WAITS = new Set(['(idle)', '(root)', '(program)']);

const maps = new Map<string, SourceMap | undefined>();

/** Of a file of a build. */
function mapOf(url: string): SourceMap | undefined {
  if (!url.startsWith('file:')) return undefined;
  const file = `${fileURLToPath(url)}.map`;
  if (!maps.has(file))
    maps.set(file, existsSync(file) ? new SourceMap(JSON.parse(readFileSync(file, 'utf8'))) : undefined);
  return maps.get(file);
}

/** `file:line`, from the project or from its packages; of Node's own parts as they are called. */
function placeOf({ callFrame: { url, lineNumber, columnNumber } }: ProfileNode): string {
  if (url === '') return '';
  const entry = mapOf(url)?.findEntry(lineNumber, columnNumber);
  const isMapped = entry !== undefined && 'originalSource' in entry;
  const [source, line] = isMapped ? [entry.originalSource, entry.originalLine] : [url, lineNumber];
  return `${source.replace(/^.*\/node_modules\//, '').replace(/^(\.\.\/)+|^file:.*\/(?=[\w-]+\/[\w.-]+$)/, '')}:${line + 1}`;
}

const isOurs = (name: string): boolean => /\b(?:shared|services|stack|cli)\/.*\.ts:\d+$/.test(name);

const nameOf = (node: ProfileNode): string => `${node.callFrame.functionName || '(anonymous)'} ${placeOf(node)}`.trim();

/** A process that is not let run has no samples: a longer step than these is time of others. */
const STEPS = 2;

/** Self time in ms by node, as the samples say. */
function selfOf({ samples, timeDeltas }: CpuProfile): Map<number, number> {
  const self = new Map<number, number>();
  const longest = STEPS * median(timeDeltas);
  for (const [index, id] of samples.entries()) {
    const ms = Math.max(0, Math.min(longest, timeDeltas[index] ?? 0)) / US_PER_MS;
    self.set(id, (self.get(id) ?? 0) + ms);
  }
  return self;
}

type Sums = Map<string, number>;

interface Times {
  /** By function: without what it called. */
  readonly self: ReadonlyMap<string, number>;
  /** By function: with what it called, once where it calls itself. */
  readonly inclusive: ReadonlyMap<string, number>;
  /** By file of ours: with what Node and packages did for it before it waited. */
  readonly files: ReadonlyMap<string, number>;
}

function timesOf(profile: CpuProfile): Times {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const selfMs = selfOf(profile);
  const [self, inclusive, files] = [1, 2, 3].map(() => new Map<string, number>()) as [Sums, Sums, Sums];
  const add = (to: Sums, name: string, ms: number) => to.set(name, (to.get(name) ?? 0) + ms);
  const visit = (node: ProfileNode, above: ReadonlySet<string>, caller: string): number => {
    const name = nameOf(node);
    const file = isOurs(name) ? name.replace(/^.* |:\d+$/g, '') : caller;
    const own = selfMs.get(node.id) ?? 0;
    const inside = new Set(above).add(name);
    let ms = own;
    for (const id of node.children ?? []) {
      const child = nodes.get(id);
      if (child !== undefined) ms += visit(child, inside, file);
    }
    add(self, name, own);
    add(files, WAITS.has(name) ? name : file, own);
    if (!above.has(name)) add(inclusive, name, ms);
    return ms;
  };
  const root = profile.nodes[0];
  if (root !== undefined) visit(root, new Set(), '(Node, and packages after they waited)');
  return { self, inclusive, files };
}

function table(
  title: string,
  times: ReadonlyMap<string, number>,
  wholeMs: number,
  wanted = (name: string): boolean => !WAITS.has(name),
): string {
  const rows = [...times].filter(([name]) => wanted(name)).sort(([, a], [, b]) => b - a);
  const line = ([name, ms]: readonly [string, number]) =>
    `${ms.toFixed(0).padStart(8)} ms ${((100 * ms) / wholeMs).toFixed(1).padStart(5)} %  ${name}`;
  return [title, ...rows.slice(0, LINES).map(line)].join('\n');
}

const profile = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')) as CpuProfile;
const { self, inclusive, files } = timesOf(profile);
const busyMs = [...self].filter(([name]) => !WAITS.has(name)).reduce((all, [, ms]) => all + ms, 0);
process.stdout.write(`busy ${busyMs.toFixed(0)} ms, system and native ${(self.get('(program)') ?? 0).toFixed(0)} ms\n`);
process.stdout.write(`${table('self', self, busyMs)}\n`);
process.stdout.write(`${table('files of ours, with what Node and packages do for them', files, busyMs)}\n`);
process.stdout.write(`${table('of ours, with what it calls until it waits', inclusive, busyMs, isOurs)}\n`);
