import { createHash, randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import type { Engine } from './engine.ts';

/**
 * Containers started ahead, each for one execution: nothing of any plan is in them, they wait for one job line, and are gone
 * after it. So an execution has the isolation of a fresh container without waiting for one (ADR 14).
 */
export interface PoolOptions {
  readonly engine: Engine;
  readonly instance: string;
  /** Parked at once for one kind of container; 0 is never. */
  readonly perKind: number;
  /** Parked at once in all. */
  readonly inAll: number;
  /** An older one is replaced. */
  readonly maxAgeMs: number;
  /** What was not asked for in this time is not parked any more. */
  readonly idleMs: number;
}

/** A container that waits for its job. */
export interface Parked {
  readonly id: string;
  /** Its streams; nothing was read of them, because it said nothing. */
  readonly stream: Duplex;
}

interface ParkedSlot extends Parked {
  readonly bornMs: number;
  /** It ended, or said something before it had a job: it is not what it should be. */
  isSpoiled: boolean;
}

/** One kind of container: same image, limits, network. */
interface Kind {
  readonly spec: Docker.ContainerCreateOptions;
  readonly waiting: ParkedSlot[];
  /** When it was asked for, of late. */
  asked: number[];
}

const PARKED_NAME = 'iso-parked-';

/** Whether a container of this name has not been assigned. */
export const isParkedName = (name: string): boolean => name.startsWith(PARKED_NAME);

const keyOf = (spec: Docker.ContainerCreateOptions): string =>
  createHash('sha256').update(JSON.stringify(spec)).digest('hex');

export class Pool {
  readonly #options: PoolOptions;
  readonly #kinds = new Map<string, Kind>();
  /** What is parked, and what was and is not removed yet. */
  readonly #ids = new Set<string>();
  #work: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** This process answers for it. */
  owns(id: string): boolean {
    return this.#ids.has(id);
  }

  /** A container of this kind, which is the caller's from now on; undefined when none waits. More are parked by demand. */
  take(spec: Docker.ContainerCreateOptions): Parked | undefined {
    const key = keyOf(spec);
    const kind = this.#kinds.get(key) ?? { spec, waiting: [], asked: [] };
    this.#kinds.delete(key);
    // Last is most recent: the order in which kinds give way to others.
    this.#kinds.set(key, kind);
    kind.asked.push(Date.now());
    const at = kind.waiting.findIndex(({ isSpoiled }) => !isSpoiled);
    const [parked] = at === -1 ? [] : kind.waiting.splice(at, 1);
    if (parked === undefined) return undefined;
    parked.stream.removeAllListeners();
    parked.stream.pause();
    this.#ids.delete(parked.id);
    return parked;
  }

  /** Parks what demand asks for, and removes what is aged or asked for no more. Never rejects. */
  tend(): Promise<void> {
    const tend = async (): Promise<void> => {
      for (const [key, kind] of this.#kinds) {
        await this.#tendKind(kind);
        if (kind.asked.length === 0) this.#kinds.delete(key);
      }
    };
    // An engine that fails here fails the next cold start too, where it is told.
    this.#work = this.#work.then(tend).catch(() => undefined);
    return this.#work;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#work;
    const left = [...this.#kinds.values()].flatMap(({ waiting }) => waiting.splice(0));
    this.#kinds.clear();
    await Promise.all(left.map((parked) => this.#discard(parked)));
  }

  async #tendKind(kind: Kind): Promise<void> {
    const { perKind, inAll, maxAgeMs, idleMs } = this.#options;
    const now = Date.now();
    kind.asked = kind.asked.filter((askedMs) => now - askedMs < idleMs);
    const isUnfit = ({ bornMs, isSpoiled }: ParkedSlot): boolean => isSpoiled || now - bornMs >= maxAgeMs;
    for (const unfit of kind.waiting.filter(isUnfit)) await this.#drop(kind, unfit);
    const wanted = (): number => (this.#isClosed ? 0 : Math.min(perKind, inAll, kind.asked.length));
    while (kind.waiting.length > wanted()) await this.#drop(kind, kind.waiting[0]);
    while (kind.waiting.length < wanted()) {
      if (this.#ids.size >= inAll && !(await this.#giveWay(kind))) return;
      const parked = await this.#park(kind);
      if (parked === undefined) return;
    }
  }

  /** The kind that was not asked for longest gives up one place. */
  async #giveWay(to: Kind): Promise<boolean> {
    for (const kind of this.#kinds.values()) {
      if (kind === to) return false;
      if (kind.waiting.length === 0) continue;
      await this.#drop(kind, kind.waiting[0]);
      return true;
    }
    return false;
  }

  async #park(kind: Kind): Promise<ParkedSlot | undefined> {
    const { engine, instance } = this.#options;
    const name = `${PARKED_NAME}${randomBytes(6).toString('hex')}-${instance}`;
    const id = await engine.create(name, kind.spec);
    this.#ids.add(id);
    try {
      const parked = { id, stream: await engine.attach(id), bornMs: Date.now(), isSpoiled: false };
      const spoil = (): void => {
        parked.isSpoiled = true;
      };
      for (const event of ['data', 'end', 'close', 'error']) parked.stream.on(event, spoil);
      await engine.start(id);
      kind.waiting.push(parked);
      return parked;
    } catch (error) {
      await this.#remove(id);
      throw error;
    }
  }

  async #drop(kind: Kind, parked: ParkedSlot | undefined): Promise<void> {
    // It may have been taken, or be gone, meanwhile.
    const at = parked === undefined ? -1 : kind.waiting.indexOf(parked);
    if (parked === undefined || at === -1) return;
    kind.waiting.splice(at, 1);
    await this.#discard(parked);
  }

  async #discard({ id, stream }: Parked): Promise<void> {
    stream.removeAllListeners();
    stream.on('error', () => undefined);
    stream.destroy();
    await this.#remove(id);
  }

  async #remove(id: string): Promise<void> {
    // What cannot be removed now the reaper removes, because nobody owns it any more.
    await this.#options.engine.remove(id).catch(() => undefined);
    this.#ids.delete(id);
  }
}
