import { type Fault, fault, IsomorphError, unreachable } from '../errors/isomorph-error.ts';
import type { PredicateCall } from '../plan/plan.ts';
import { predicateOf } from '../plan/predicates/index.ts';
import type { PredicateResult } from '../plan/predicates/predicate.ts';
import { JudgePool, type JudgePoolOptions, MAX_CPU_MS, MAX_KILLS } from './pool.ts';
import {
  type Answer,
  answer,
  type FaultsQuestion,
  type JudgeLimit,
  type Question,
  type SentEvidence,
} from './question.ts';

/** How what was found begins where a limit ended it. */
export const TOO_COSTLY = 'too costly to judge';

/** For a person: which limit, and what it is. */
function costText(limit: JudgeLimit): string {
  switch (limit) {
    case 'time':
      return `${TOO_COSTLY}: more than ${MAX_CPU_MS / 1_000} s of computing`;
    case 'memory':
      return `${TOO_COSTLY}: more memory than a judge has`;
    case 'room':
      return `${TOO_COSTLY}: more memory than there is for a judge, which was killed ${MAX_KILLS} times`;
    case 'depth':
      return `${TOO_COSTLY}: too deep, or a schema that refers to itself without end`;
    default:
      return unreachable(limit);
  }
}

export interface JudgedPredicate extends PredicateResult {
  /** It was ended by a limit, which `found` names. */
  readonly isTooCostly: boolean;
}

/**
 * Evaluates what clients, processors and registries wrote, where it can be ended: an expression, a schema or a document that
 * costs too much is told so, and costs nobody else anything. `asker` is whose question it is, such as a plan.
 */
export class Judge {
  readonly #pool: JudgePool;

  constructor(options: JudgePoolOptions = {}) {
    this.#pool = new JudgePool(options);
  }

  /**
   * Whether a predicate holds of its evidence. Too costly is a result like any other: it does not hold.
   * @throws ERR_UNAVAILABLE when no process can be started
   */
  async predicate(asker: string, call: PredicateCall, evidence: SentEvidence): Promise<JudgedPredicate> {
    const question: Question = { kind: 'predicate', call, evidence };
    const given = predicateOf(call)?.hasProgram === true ? await this.#pool.ask(asker, question) : answer(question);
    if (given.kind === 'result') return { ...given.result, isTooCostly: false };
    if (given.kind === 'exceeded') return { ok: false, found: costText(given.limit), isTooCostly: true };
    throw new IsomorphError('ERR_INTERNAL', 'the judge answered another question');
  }

  /** What is wrong with a call, or with a value by its schema; nothing when nothing is. @throws ERR_UNAVAILABLE */
  async faults(asker: string, question: FaultsQuestion): Promise<readonly Fault[]> {
    const isPlain = question.kind === 'call' && predicateOf(question.call)?.hasProgram !== true;
    return faultsOf(isPlain ? answer(question) : await this.#pool.ask(asker, question), question.pointer);
  }

  async close(): Promise<void> {
    this.#pool.close();
  }
}

function faultsOf(given: Answer, pointer: string): readonly Fault[] {
  switch (given.kind) {
    case 'faults':
      return given.faults;
    case 'exceeded':
      return [
        fault('ERR_TOO_COSTLY', costText(given.limit), { pointer, expected: 'what can be judged within the limits' }),
      ];
    case 'result':
      throw new IsomorphError('ERR_INTERNAL', 'the judge answered another question');
  }
}
