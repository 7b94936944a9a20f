import { LRUCache } from 'lru-cache';
import { cidOf } from '../hash/cid.ts';
import type { Question } from './question.ts';

/**
 * How often in a row the judge of one question may be killed from outside: once or twice somebody did it, so often it is the
 * question, which needs more memory than the system has. Whoever asks again waits longer each time: half a minute in all.
 */
export const MAX_KILLS = 8;

const REMEMBERED = 1_000;
/** What was long ago is not in a row. */
const REMEMBERED_MS = 3_600_000;

interface Suspect {
  /** It needs more than the quick lane gives. */
  readonly isSlow: boolean;
  readonly kills: number;
}

/** A question by what it asks of what, without the bytes of its evidence: the same when its message comes again. */
function keyOf(question: Question): string {
  if (question.kind !== 'predicate') return cidOf(JSON.stringify(question));
  const { call, evidence } = question;
  return cidOf(JSON.stringify([call, evidence.artifacts.map(([path, { cid }]) => [path, cid]), evidence.series]));
}

/** What is known of questions that were not answered at once, for when they are asked again. */
export class Suspects {
  readonly #known = new LRUCache<string, Suspect>({ max: REMEMBERED, ttl: REMEMBERED_MS });

  isSlow(question: Question): boolean {
    return this.#find(question)?.isSlow === true;
  }

  slow(question: Question): void {
    this.#known.set(keyOf(question), { kills: 0, ...this.#find(question), isSlow: true });
  }

  /** Whether that was once too often. */
  killed(question: Question): boolean {
    const before = this.#find(question);
    const kills = (before?.kills ?? 0) + 1;
    this.#known.set(keyOf(question), { isSlow: before?.isSlow === true, kills });
    return kills >= MAX_KILLS;
  }

  answered(question: Question): void {
    if (this.#known.size > 0) this.#known.delete(keyOf(question));
  }

  /** Nearly always there is none, and a question of 16 MiB is not hashed for that. */
  #find(question: Question): Suspect | undefined {
    return this.#known.size === 0 ? undefined : this.#known.get(keyOf(question));
  }
}
