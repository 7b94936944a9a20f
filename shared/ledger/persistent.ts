/**
 * Maps and sets whose earlier versions stay as they were, in the order in which keys were added. A version costs what it
 * changes, not what it holds (Law 8): all versions share one index of places and all nodes that they have in common.
 */

const BITS = 5;
const WIDTH = 1 << BITS;
const MASK = WIDTH - 1;

/** Whoever makes several changes at once: nodes that it made itself it may still write to. Nobody else has seen them. */
export class Edit {}

interface Entry<K, V> {
  readonly key: K;
  readonly value: V;
}

/** A leaf holds entries, undefined where one was deleted; any other node holds nodes. */
interface Node {
  readonly edit: Edit;
  readonly slots: unknown[];
}

/**
 * Where a key may stand, for all versions of one map: an entry there says whether it does in a version. So a version that
 * was given up, such as a commit that lost its race, leaves nothing behind that another one could see.
 */
type Places<K> = Map<K, number | number[]>;

const nodeOf = (edit: Edit, slots: unknown[] = []): Node => ({ edit, slots });

const own = (node: Node | undefined, edit: Edit): Node =>
  node === undefined ? nodeOf(edit) : node.edit === edit ? node : nodeOf(edit, node.slots.slice());

/** The node `root` of height `shift`, with `entry` at `at`. */
function stored(root: Node | undefined, shift: number, at: number, entry: unknown, edit: Edit): Node {
  const node = own(root, edit);
  const slot = (at >>> shift) & MASK;
  node.slots[slot] = shift === 0 ? entry : stored(node.slots[slot] as Node | undefined, shift - BITS, at, entry, edit);
  return node;
}

/** Pairs of what stands at one place in two trees of one height, where that is not the same. */
function* differing(a: Node | undefined, b: Node | undefined, shift: number): Generator<[unknown, unknown]> {
  if (a === b) return;
  const slots = Math.max(a?.slots.length ?? 0, b?.slots.length ?? 0);
  for (let slot = 0; slot < slots; slot++) {
    const [one, other] = [a?.slots[slot], b?.slots[slot]];
    if (one === other) continue;
    if (shift === 0) yield [one, other];
    else yield* differing(one as Node | undefined, other as Node | undefined, shift - BITS);
  }
}

/** A map of which every version stays valid; {@link set} and {@link delete} give the next one. */
export class PersistentMap<K, V> implements ReadonlyMap<K, V> {
  /** Entries that are there. */
  readonly size: number;
  readonly #places: Places<K>;
  readonly #root: Node | undefined;
  readonly #shift: number;
  /** Places that were given out, those of deleted entries included. */
  readonly #end: number;

  private constructor(size: number, places: Places<K>, root: Node | undefined, shift: number, end: number) {
    this.size = size;
    this.#places = places;
    this.#root = root;
    this.#shift = shift;
    this.#end = end;
  }

  static of<K, V>(entries: Iterable<readonly [K, V]> = []): PersistentMap<K, V> {
    const edit = new Edit();
    let map = new PersistentMap<K, V>(0, new Map(), undefined, 0, 0);
    for (const [key, value] of entries) map = map.set(key, value, edit);
    return map;
  }

  get(key: K): V | undefined {
    return this.#entryAt(this.#placeOf(key))?.value;
  }

  has(key: K): boolean {
    return this.#placeOf(key) !== undefined;
  }

  /** @param edit of whoever goes on from here and shows no version in between to anybody */
  set(key: K, value: V, edit: Edit = new Edit()): PersistentMap<K, V> {
    const known = this.#placeOf(key);
    const at = known ?? this.#end;
    if (known === undefined) this.#note(key, at);
    let [root, shift] = [this.#root, this.#shift];
    if (at >>> shift >= WIDTH) {
      root = nodeOf(edit, [root]);
      shift += BITS;
    }
    root = stored(root, shift, at, { key, value }, edit);
    const isNew = known === undefined ? 1 : 0;
    return new PersistentMap(this.size + isNew, this.#places, root, shift, this.#end + isNew);
  }

  delete(key: K, edit: Edit = new Edit()): PersistentMap<K, V> {
    const at = this.#placeOf(key);
    if (at === undefined) return this;
    const root = stored(this.#root, this.#shift, at, undefined, edit);
    const rest = new PersistentMap<K, V>(this.size - 1, this.#places, root, this.#shift, this.#end);
    // Made anew now and then: what was deleted must not be stepped over for ever.
    return this.#end > WIDTH && rest.size < this.#end >>> 1 ? PersistentMap.of(rest) : rest;
  }

  *entries(): MapIterator<[K, V]> {
    for (const [entry] of differing(this.#root, undefined, this.#shift)) {
      const { key, value } = entry as Entry<K, V>;
      yield [key, value];
    }
    return undefined;
  }

  *keys(): MapIterator<K> {
    for (const [key] of this.entries()) yield key;
    return undefined;
  }

  *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value;
    return undefined;
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries();
  }

  forEach(call: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this) call(value, key, this);
  }

  /**
   * What is not the same here and in another version: costs what differs, where the two come from each other. Of a key
   * that has moved, or whose maps do not come from each other, it may tell twice.
   */
  *changesSince(
    other: PersistentMap<K, V>,
  ): Generator<{ readonly now: V | undefined; readonly before: V | undefined }> {
    const shift = Math.max(this.#shift, other.#shift);
    for (const [now, before] of differing(this.#raisedTo(shift), other.#raisedTo(shift), shift)) {
      yield { now: (now as Entry<K, V> | undefined)?.value, before: (before as Entry<K, V> | undefined)?.value };
    }
  }

  #raisedTo(shift: number): Node | undefined {
    let root = this.#root;
    for (let height = this.#shift; height < shift && root !== undefined; height += BITS) {
      root = nodeOf(root.edit, [root]);
    }
    return root;
  }

  #entryAt(at: number | undefined): Entry<K, V> | undefined {
    if (at === undefined || at >= this.#end) return undefined;
    let node = this.#root;
    for (let shift = this.#shift; shift > 0; shift -= BITS)
      node = node?.slots[(at >>> shift) & MASK] as Node | undefined;
    return node?.slots[at & MASK] as Entry<K, V> | undefined;
  }

  #placeOf(key: K): number | undefined {
    const places = this.#places.get(key);
    if (typeof places !== 'object') return this.#entryAt(places)?.key === key ? places : undefined;
    return places.find((at) => this.#entryAt(at)?.key === key);
  }

  #note(key: K, at: number): void {
    const places = this.#places.get(key);
    if (places === undefined || places === at) this.#places.set(key, at);
    else if (typeof places === 'number') this.#places.set(key, [places, at]);
    else if (!places.includes(at)) places.push(at);
  }
}

/** A set of which every version stays valid. */
export class PersistentSet<K> implements Iterable<K> {
  readonly #map: PersistentMap<K, true>;

  private constructor(map: PersistentMap<K, true>) {
    this.#map = map;
  }

  static of<K>(keys: Iterable<K> = []): PersistentSet<K> {
    return new PersistentSet(PersistentMap.of([...keys].map((key) => [key, true])));
  }

  get size(): number {
    return this.#map.size;
  }

  has(key: K): boolean {
    return this.#map.has(key);
  }

  add(key: K, edit?: Edit): PersistentSet<K> {
    return this.has(key) ? this : new PersistentSet(this.#map.set(key, true, edit));
  }

  delete(key: K, edit?: Edit): PersistentSet<K> {
    return this.has(key) ? new PersistentSet(this.#map.delete(key, edit)) : this;
  }

  [Symbol.iterator](): MapIterator<K> {
    return this.#map.keys();
  }
}
