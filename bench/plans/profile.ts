/** `node --import tsx bench/plans/profile.ts <file.cpuprofile>`: where the CPU of a profile went, as text. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';

const LINES = 40;
const US_PER_MS = 1_000;

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const WAITS = new Set(['(idle)', '(root)', '(program)']);

function nameOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const file = url.includes('/node_modules/') ? url.slice(url.lastIndexOf('/node_modules/') + 14) : path.basename(url);
  return `${functionName || '(anonymous)'} ${url === '' ? '' : `${file}:${lineNumber + 1}`}`.trim();
}

/** Self time in ms by node, as the samples say. */
function selfOf({ samples, timeDeltas }: CpuProfile): Map<number, number> {
  const self = new Map<number, number>();
  for (const [index, id] of samples.entries()) {
    self.set(id, (self.get(id) ?? 0) + (timeDeltas[index] ?? 0) / US_PER_MS);
  }
  return self;
}

/** Time by name: of the function itself, and with what it called, counted once where it calls itself. */
function byName(profile: CpuProfile): { readonly self: Map<string, number>; readonly inclusive: Map<string, number> } {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const selfMs = selfOf(profile);
  const [self, inclusive] = [new Map<string, number>(), new Map<string, number>()];
  const add = (to: Map<string, number>, name: string, ms: number) => to.set(name, (to.get(name) ?? 0) + ms);
  const visit = (node: ProfileNode, above: ReadonlySet<string>): number => {
    const name = nameOf(node);
    const own = selfMs.get(node.id) ?? 0;
    const inside = new Set(above).add(name);
    let ms = own;
    for (const id of node.children ?? []) {
      const child = nodes.get(id);
      if (child !== undefined) ms += visit(child, inside);
    }
    add(self, name, own);
    if (!above.has(name)) add(inclusive, name, ms);
    return ms;
  };
  const root = profile.nodes[0];
  if (root !== undefined) visit(root, new Set());
  return { self, inclusive };
}

function table(title: string, times: ReadonlyMap<string, number>, wholeMs: number): string {
  const rows = [...times].filter(([name]) => !WAITS.has(name)).sort(([, a], [, b]) => b - a);
  const line = ([name, ms]: readonly [string, number]) =>
    `${ms.toFixed(0).padStart(8)} ms ${((100 * ms) / wholeMs).toFixed(1).padStart(5)} %  ${name}`;
  return [title, ...rows.slice(0, LINES).map(line)].join('\n');
}

const profile = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')) as CpuProfile;
const { self, inclusive } = byName(profile);
const busyMs = [...self].filter(([name]) => !WAITS.has(name)).reduce((all, [, ms]) => all + ms, 0);
process.stdout.write(`busy ${busyMs.toFixed(0)} ms, system and native ${(self.get('(program)') ?? 0).toFixed(0)} ms\n`);
process.stdout.write(`${table('self', self, busyMs)}\n${table('with what it calls', inclusive, busyMs)}\n`);
