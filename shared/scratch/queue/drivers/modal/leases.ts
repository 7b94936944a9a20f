import { LRUCache } from 'lru-cache';
import Type, { type Static } from 'typebox';
import type { ModalDict } from '../../../../providers/modal/dict.ts';
import { recordParser } from '../../../../providers/modal/record.ts';
import { isUnavailable } from '../../../../providers/modal/sdk.ts';

/** Step `n` of message `id`, which leases it until about `x` (Unix ms) as delivery `d`, if whoever noted it came to write that. */
const LeaseSchema = Type.Object({ id: Type.String(), n: Type.Integer(), d: Type.Integer(), x: Type.Number() });
const parseNote = recordParser(Type.Object({ leases: Type.Array(LeaseSchema) }));

export type Lease = Static<typeof LeaseSchema>;

/** Of one consumer; what it has under way beyond that a scan finds. An entry stays within 30 KB. */
const MOST_NOTED = 300;
const KNOWN_LEASES = 10_000;
/** Much longer than a list of notes takes: a consumer may be writing its next one while somebody holds an old list in hand. */
const FORGOTTEN_MS = 600_000;

/**
 * What each consumer of a topic is about to claim or has under way, noted in a small Dict of the plan (`<topic>:<client>`).
 * There is found what a killed consumer left, at a cost that grows with the consumers and not with the messages. Like a ticket
 * a note is a hint: the steps in the plan's own Dict decide, and what is in no note a scan finds.
 */
export class Leases {
  readonly #dict: ModalDict;
  readonly #prefix: string;
  readonly #client: string;
  readonly #own = new Map<string, Lease>();
  /** Whether the note in the Dict says something else than `#own`. */
  #isOutdated = false;
  /** Resolves when nothing is being written, however that went. */
  #writing: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  /** Each lease that ran out is told once: whoever claims it is first or is not. */
  readonly #told = new LRUCache<string, true>({ max: KNOWN_LEASES });
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(dict: ModalDict, topic: string, client: string) {
    this.#dict = dict;
    this.#prefix = `${topic}:`;
    this.#client = client;
  }

  add(lease: Lease): void {
    this.#own.set(lease.id, lease);
    this.#isOutdated = true;
  }

  /** It was acked or nacked here, or somebody else was first. */
  release(id: string, n: number): void {
    if (this.#own.get(id)?.n === n && this.#own.delete(id)) this.#isOutdated = true;
  }

  /** Notes what changed. To be done before a message is claimed. Those who ask while one is being written share the next. */
  note(): Promise<void> {
    this.#next ??= this.#writing.then(() => {
      this.#next = undefined;
      const written = this.#write();
      this.#writing = written.catch(() => undefined);
      return written;
    });
    return this.#next;
  }

  /** One at a time: an older note must not land on a newer one. */
  async #write(): Promise<void> {
    if (!this.#isOutdated) return;
    const nowMs = Date.now();
    // One that ran out while its consumer was slow stays noted until somebody took it over.
    for (const [id, { x }] of this.#own) if (x + FORGOTTEN_MS <= nowMs) this.#own.delete(id);
    const leases = [...this.#own.values()].slice(-MOST_NOTED);
    this.#isOutdated = false;
    await asHint(() => this.#dict.put(`${this.#prefix}${this.#client}`, { leases }));
  }

  /** Twice in a visibility timeout. */
  isLookDue(visibilityMs: number): boolean {
    return performance.now() - this.#lookedMs >= visibilityMs / 2;
  }

  /** What was noted and ran out since the last look. Notes of consumers that are long gone are removed. */
  async look(): Promise<Lease[]> {
    this.#lookedMs = performance.now();
    await this.note();
    const found: Lease[] = [];
    await asHint(async () => {
      const entries = await this.#dict.entries();
      const nowMs = Date.now();
      for (const [key, value] of entries) {
        if (!key.startsWith(this.#prefix)) continue;
        const { leases } = parseNote(value);
        found.push(...leases.filter(({ x }) => x <= nowMs));
        if (leases.every(({ x }) => x + FORGOTTEN_MS < nowMs)) await this.#dict.pop(key);
      }
    });
    const fresh = found.filter(({ id, n }) => !this.#told.has(`${id}:${n}`));
    for (const { id, n } of fresh) this.#told.set(`${id}:${n}`, true);
    return fresh;
  }
}

/** Without a hint it takes longer; it must not fail what it hints at. */
async function asHint(call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (!isUnavailable(error)) throw error;
  }
}
