/**
 * The floors of the house (DESIGN.md "Floors", ADR 70) as data, lowest first. A room may import what stands on a lower floor,
 * and itself; rooms of one floor do not know each other. Types count: whoever needs a type needs the file.
 */

/** What a room is called, and which files are in it. Of several that match, the longest is meant. */
export interface Room {
  readonly path: string;
  /** Each folder inside is a room of its own, on the same floor. */
  readonly each?: true;
}

const room = (path: string): Room => ({ path });
const each = (path: string): Room => ({ path, each: true });
const PRIMITIVES = ['world', 'secrets', 'scratch/kv', 'scratch/queue', 'runtime'].map((name) => `shared/${name}`);
const of = (suffix: string): Room[] => PRIMITIVES.map((primitive) => room(`${primitive}${suffix}`));

export const FLOORS: readonly (readonly Room[])[] = [
  [room('shared/errors')],
  [room('shared/ids'), room('shared/hash'), room('shared/schema'), room('shared/text'), room('shared/async')],
  [room('shared/ledger')],
  [room('shared/plan')],
  [room('shared/wire')],
  [room('shared/nats')],
  // What KV and queues have in common; what the drivers of one provider share takes its options.
  [room('shared/scratch')],
  [each('shared/providers')],
  // A run is given secrets.
  [room('shared/secrets')],
  [room('shared/world'), room('shared/scratch/kv'), room('shared/scratch/queue'), room('shared/runtime')],
  PRIMITIVES.map((primitive) => each(`${primitive}/drivers`)),
  of('/open.ts'),
  [room('shared/registry'), room('shared/journal'), room('shared/judge')],
  [room('shared/projection')],
  [room('shared/fsck')],
  [room('services/common')],
  [each('services')],
  [room('services/compose.ts')],
  [room('services/main.ts'), room('stack')],
  [room('cli')],
  [room('bin')],
];

/** Folders on their own: what each may import beside itself. `everything` is what stands on a floor. */
export const ANNEXES: Readonly<Record<string, readonly string[]>> = {
  // Processors run in images of their own: they keep to the contract and to each other's helpers.
  processors: [],
  examples: ['processors'],
  tools: ['everything', 'processors', 'tools', 'test'],
  bench: ['everything', 'processors', 'test', 'tools'],
  test: ['everything', 'processors', 'examples', 'tools', 'bench'],
};

const PLACES = FLOORS.flatMap((rooms, floor) => rooms.map((one) => ({ ...one, floor })));

export interface Place {
  readonly room: string;
  readonly floor: number;
}

/** Where a file stands; undefined for what stands on no floor. */
export function placeOf(file: string): Place | undefined {
  const found = PLACES.filter(({ path }) => file === path || file.startsWith(`${path}/`)).sort(
    (one, other) => other.path.length - one.path.length,
  )[0];
  if (found === undefined) return undefined;
  const { path, floor } = found;
  const inside = file.slice(path.length + 1).split('/')[0] ?? '';
  return { room: found.each ? `${path}/${inside}` : path, floor };
}

/** Why a file may not import another of the project; undefined when it may. */
export function whyNot(from: string, to: string): string | undefined {
  const [here, there] = [placeOf(from), placeOf(to)];
  const annex = ANNEXES[from.split('/')[0] ?? ''];
  const target = to.split('/')[0] ?? '';
  if (annex !== undefined) {
    const may = from.startsWith(`${target}/`) || annex.includes(there === undefined ? target : 'everything');
    return may ? undefined : `${from.split('/')[0]} may not import ${target}`;
  }
  if (here === undefined) return `${from} stands on no floor`;
  if (there === undefined) return `${to} stands on no floor`;
  if (here.room === there.room || there.floor < here.floor) return undefined;
  if (there.floor === here.floor) return `${here.room} and ${there.room} are on one floor and do not know each other`;
  return `${there.room} is above ${here.room}`;
}

/** The table as people read it. */
export const floorTable = (): string =>
  FLOORS.map(
    (rooms, floor) =>
      `${String(floor).padStart(2)}  ${rooms.map(({ path, each }) => (each ? `${path}/*` : path)).join('  ')}`,
  )
    .reverse()
    .join('\n');
