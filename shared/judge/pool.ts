import { Turns } from '../async/turns.ts';
import { IsomorphError } from '../errors/isomorph-error.ts';
import { FairPlaces } from './fair-places.ts';
import { Overruns } from './overruns.ts';
import type { Answer, Question } from './question.ts';
import { MAX_KILLS, Suspects } from './suspects.ts';
import { JudgeWorker } from './worker.ts';

export { MAX_KILLS };

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

const unavailable = (why: string): IsomorphError => new IsomorphError('ERR_UNAVAILABLE', why);

type Worker = Pick<JudgeWorker, 'ask' | 'end' | 'isAlive'>;

/** Starts a process that judges. @throws when the system has no room for one */
type StartWorker = () => Worker;

interface LaneOptions {
  readonly start: StartWorker;
  readonly limitMs: number;
  /** Undefined: as many as ask. */
  readonly places: FairPlaces | undefined;
  readonly suspects: Suspects;
  /** What becomes of a question that a limit of this lane ended. */
  readonly exceeded: (asker: string, one: Queued, answer: Answer) => void;
}

/** One worker and those who wait for it. */
class Lane {
  readonly #options: LaneOptions;
  readonly #turns = new Turns<Queued>();
  #worker: Worker | undefined;
  #isBusy = false;
  #isClosed = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Starts the worker ahead of the first question. */
  warm(): Worker {
    if (this.#worker?.isAlive !== true) this.#worker = this.#options.start();
    return this.#worker;
  }

  add(asker: string, one: Queued): void {
    if (this.#isClosed) {
      one.reject(unavailable('the judge is closed'));
      return;
    }
    const refused = this.#options.places?.take(asker);
    if (refused !== undefined) {
      one.reject(unavailable(refused));
      return;
    }
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
      const { whose: asker, one } = next;
      await this.#judge(asker, one).catch(one.reject);
      this.#options.places?.giveBack(asker);
      this.#replace();
    }
    this.#isBusy = false;
  }

  async #judge(asker: string, one: Queued): Promise<void> {
    const { limitMs, suspects, exceeded } = this.#options;
    if (this.#isClosed) throw unavailable('the judge is closed');
    const answer = await this.warm().ask(one.question, limitMs);
    if (answer.kind === 'killed') {
      if (this.#isClosed) throw unavailable('the judge is closed');
      if (!suspects.killed(one.question)) throw unavailable('the process that judges predicates was killed');
      one.resolve({ kind: 'exceeded', limit: 'room' });
    } else if (answer.kind === 'exceeded' && answer.limit !== 'depth') {
      exceeded(asker, one, answer);
    } else {
      suspects.answered(one.question, answer);
      one.resolve(answer);
    }
  }

  /** A killed worker is replaced at once, so that the next question finds a warm one. */
  #replace(): void {
    try {
      if (!this.#isClosed) this.warm();
    } catch {
      // No process can be started just now: the next question tries again, and whoever asks it is told.
    }
  }
}

export interface JudgePoolOptions {
  readonly start?: StartWorker;
  /** Costly questions of all askers at once. Default: as many as ask. */
  readonly mostSlow?: number;
  /** Monotonic. */
  readonly nowMs?: () => number;
}

/**
 * Judges in processes of its own, where a question can be ended. Two lanes: what is usual never waits for what is dear, and
 * within a lane the askers take turns. A question that ends its worker costs nobody else's.
 */
export class JudgePool {
  readonly #suspects = new Suspects();
  readonly #overruns: Overruns;
  readonly #slow: Lane;
  readonly #quick: Lane;

  constructor(options: JudgePoolOptions = {}) {
    const { start = () => new JudgeWorker(), mostSlow = Number.POSITIVE_INFINITY } = options;
    this.#overruns = new Overruns(options.nowMs ?? (() => performance.now()));
    const shared = { start, suspects: this.#suspects };
    this.#slow = new Lane({
      ...shared,
      limitMs: MAX_CPU_MS,
      places: new FairPlaces({ mostOfOne: MAX_SLOW, mostOfAll: mostSlow }),
      exceeded: (_asker, one, answer) => one.resolve(answer),
    });
    this.#quick = new Lane({
      ...shared,
      limitMs: QUICK_CPU_MS,
      places: undefined,
      exceeded: (asker, one) => {
        this.#suspects.slow(one.question);
        this.#overruns.note(asker, one.question);
        this.#slow.add(asker, one);
      },
    });
    this.#quick.warm();
  }

  /** @param asker whose question it is, such as a plan: askers take turns, and have at most `MAX_SLOW` costly ones at once */
  ask(asker: string, question: Question): Promise<Answer> {
    const known = this.#suspects.of(question);
    if (known?.answer !== undefined) return Promise.resolve(known.answer);
    // One that was refused its place costs nothing when it is asked again.
    const isDear = known?.isSlow === true || this.#overruns.areMany(asker, question);
    const lane = isDear ? this.#slow : this.#quick;
    return new Promise((resolve, reject) => lane.add(asker, { question, resolve, reject }));
  }

  close(): void {
    this.#quick.close();
    this.#slow.close();
  }
}
