import { IsomorphError } from '../errors/isomorph-error.ts';
import type { Answer, Question } from './question.ts';
import { JudgeWorker } from './worker.ts';

/** CPU of a usual question is below one ms. What needs more than this goes to the slow lane, and starts again there. */
const QUICK_CPU_MS = 100;
/** What a question may cost at most. */
export const MAX_CPU_MS = 2_000;
/** Of one asker in the slow lane: whoever asks waits with what it holds, such as a slot of admission. */
export const MAX_SLOW = 6;

/** A question in line. */
interface Queued {
  readonly question: Question;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** Waiting questions, one of each asker in turn. */
class Turns {
  readonly #waiting = new Map<string, Queued[]>();

  add(asker: string, one: Queued): void {
    const own = this.#waiting.get(asker);
    if (own === undefined) this.#waiting.set(asker, [one]);
    else own.push(one);
  }

  next(): { readonly asker: string; readonly one: Queued } | undefined {
    for (const [asker, own] of this.#waiting) {
      // To the end of the line: the others come before this asker's next one.
      this.#waiting.delete(asker);
      const one = own.shift();
      if (own.length > 0) this.#waiting.set(asker, own);
      if (one !== undefined) return { asker, one };
    }
    return undefined;
  }
}

type Worker = Pick<JudgeWorker, 'ask' | 'end' | 'isAlive'>;

/** Starts a process that judges. @throws when the system has no room for one */
type StartWorker = () => Worker;

/** One worker and those who wait for it. */
class Lane {
  readonly #start: StartWorker;
  readonly #limitMs: number;
  readonly #exceeded: (asker: string, one: Queued, answer: Answer) => void;
  readonly #most: number;
  readonly #unanswered = new Map<string, number>();
  readonly #turns = new Turns();
  #worker: Worker | undefined;
  #isBusy = false;
  #isClosed = false;

  /** @param most questions of one asker at once */
  constructor(
    start: StartWorker,
    limitMs: number,
    most: number,
    exceeded: (asker: string, one: Queued, answer: Answer) => void,
  ) {
    this.#start = start;
    this.#limitMs = limitMs;
    this.#most = most;
    this.#exceeded = exceeded;
  }

  /** Starts the worker ahead of the first question. */
  warm(): Worker {
    if (this.#worker?.isAlive !== true) this.#worker = this.#start();
    return this.#worker;
  }

  add(asker: string, one: Queued): void {
    if (this.#isClosed) {
      one.reject(new IsomorphError('ERR_UNAVAILABLE', 'the judge is closed'));
      return;
    }
    const unanswered = this.#unanswered.get(asker) ?? 0;
    if (unanswered >= this.#most) {
      one.reject(new IsomorphError('ERR_UNAVAILABLE', `${unanswered} costly questions of ${asker} are being judged`));
      return;
    }
    this.#unanswered.set(asker, unanswered + 1);
    this.#turns.add(asker, one);
    if (!this.#isBusy) void this.#run();
  }

  close(): void {
    this.#isClosed = true;
    this.#worker?.end();
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    for (let next = this.#turns.next(); next !== undefined; next = this.#turns.next()) {
      const { asker, one } = next;
      try {
        if (this.#isClosed) throw new IsomorphError('ERR_UNAVAILABLE', 'the judge is closed');
        const answer = await this.warm().ask(one.question, this.#limitMs);
        if (answer.kind === 'exceeded' && answer.limit !== 'depth') this.#exceeded(asker, one, answer);
        else one.resolve(answer);
      } catch (error) {
        one.reject(error);
      }
      this.#answered(asker);
      this.#replace();
    }
    this.#isBusy = false;
  }

  /** A killed worker is replaced at once, so that the next question finds a warm one. */
  #replace(): void {
    try {
      if (!this.#isClosed) this.warm();
    } catch {
      // No process can be started just now: the next question tries again, and whoever asks it is told.
    }
  }

  #answered(asker: string): void {
    const left = (this.#unanswered.get(asker) ?? 1) - 1;
    if (left > 0) this.#unanswered.set(asker, left);
    else this.#unanswered.delete(asker);
  }
}

/**
 * Judges in processes of its own, where a question can be ended. Two lanes: what is usual never waits for what is dear, and
 * within a lane the askers take turns. A question that ends its worker costs nobody else's.
 */
export class JudgePool {
  readonly #slow: Lane;
  readonly #quick: Lane;

  constructor(start: StartWorker = () => new JudgeWorker()) {
    this.#slow = new Lane(start, MAX_CPU_MS, MAX_SLOW, (_asker, one, answer) => one.resolve(answer));
    this.#quick = new Lane(start, QUICK_CPU_MS, Number.POSITIVE_INFINITY, (asker, one) => this.#slow.add(asker, one));
    this.#quick.warm();
  }

  /** @param asker whose question it is, such as a plan: askers take turns, and have at most `MAX_SLOW` costly ones at once */
  ask(asker: string, question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => this.#quick.add(asker, { question, resolve, reject }));
  }

  close(): void {
    this.#quick.close();
    this.#slow.close();
  }
}
