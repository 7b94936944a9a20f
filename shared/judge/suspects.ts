import { LRUCache } from 'lru-cache';
import { cidOf } from '../hash/cid.ts';
import type { Answer, Question } from './question.ts';

/**
 * How often in a row the judge of one question may be killed from outside: once or twice somebody did it, so often it is the
 * question, which needs more memory than the system has. Whoever asks again waits longer each time: half a minute in all.
 */
export const MAX_KILLS = 8;

/** Of answers, as JSON, beside their keys. */
const REMEMBERED_CHARACTERS = 4 * 1024 * 1024;
const KEY_CHARACTERS = 100;
/** What was long ago is not in a row. */
const REMEMBERED_MS = 3_600_000;

interface Suspect {
  /** It needs more than the quick lane gives. */
  readonly isSlow: boolean;
  readonly kills: number;
  /** What the slow lane found: a plan of many such questions may be handed back after each, and goes on from there. */
  readonly answer: Answer | undefined;
}

const UNSUSPECTED: Suspect = { isSlow: false, kills: 0, answer: undefined };

/** A question by what it asks of what, without the bytes of its evidence: the same when its message comes again. */
function keyOf(question: Question): string {
  if (question.kind !== 'predicate') return cidOf(JSON.stringify(question));
  const { call, evidence } = question;
  return cidOf(JSON.stringify([call, evidence.artifacts.map(([path, { cid }]) => [path, cid]), evidence.series]));
}

/** What is known of questions that were not answered at once, for when they are asked again. */
export class Suspects {
  readonly #known = new LRUCache<string, Suspect>({
    maxSize: REMEMBERED_CHARACTERS,
    sizeCalculation: ({ answer }) => KEY_CHARACTERS + (answer === undefined ? 0 : JSON.stringify(answer).length),
    ttl: REMEMBERED_MS,
  });

  /** Nearly always there is none, and no question is hashed for that. */
  of(question: Question): Suspect | undefined {
    return this.#known.size === 0 ? undefined : this.#known.get(keyOf(question));
  }

  slow(question: Question): void {
    this.#change(question, (before) => ({ ...before, isSlow: true }));
  }

  /** Whether that was once too often. */
  killed(question: Question): boolean {
    const { kills } = this.#change(question, (before) => ({ ...before, kills: before.kills + 1 }));
    return kills >= MAX_KILLS;
  }

  answered(question: Question, answer: Answer): void {
    if (this.#known.size === 0) return;
    const key = keyOf(question);
    const before = this.#known.get(key);
    if (before?.isSlow === true) this.#known.set(key, { isSlow: true, kills: 0, answer });
    else this.#known.delete(key);
  }

  #change(question: Question, change: (before: Suspect) => Suspect): Suspect {
    const key = keyOf(question);
    const suspect = change(this.#known.get(key) ?? UNSUSPECTED);
    this.#known.set(key, suspect);
    return suspect;
  }
}
