/** What is asked of a judge, and how it is answered. Pure: where it can be ended is the business of the pool. */
import type { ErrorCode } from '../errors/codes.ts';
import { type Fault, toFault } from '../errors/isomorph-error.ts';
import type { PredicateCall } from '../plan/plan.ts';
import { predicateFaults, predicateOf } from '../plan/predicates/index.ts';
import type { ArtifactEvidence, PredicateResult } from '../plan/predicates/predicate.ts';
import { compileSchema } from '../schema/user-schema.ts';

/** Evidence as it travels between processes. */
export interface SentEvidence {
  readonly artifacts: readonly (readonly [path: string, artifact: ArtifactEvidence])[];
  readonly series: readonly (readonly [name: string, watermark: number])[];
}

export type Question =
  /** Does the predicate hold? */
  | { readonly kind: 'predicate'; readonly call: PredicateCall; readonly evidence: SentEvidence }
  /** Can the predicate be used at all? */
  | { readonly kind: 'call'; readonly call: PredicateCall; readonly pointer: string }
  /** Does a value fit a schema that somebody wrote? */
  | {
      readonly kind: 'value';
      readonly schema: unknown;
      readonly value: unknown;
      readonly code: ErrorCode;
      readonly pointer: string;
    };

/** One that is answered by what is wrong, at the place that it names. */
export type FaultsQuestion = Extract<Question, { kind: 'call' | 'value' }>;

/** What judging may use up: `room` is the memory of the system, which may be less than a judge may have. */
export type JudgeLimit = 'time' | 'memory' | 'room' | 'depth';

export type Answer =
  | { readonly kind: 'result'; readonly result: PredicateResult }
  | { readonly kind: 'faults'; readonly faults: readonly Fault[] }
  | { readonly kind: 'exceeded'; readonly limit: JudgeLimit };

/** Characters of what was found: more than any reader of an event gets. */
const MAX_FOUND = 2_000;

function judged({ call, evidence }: Extract<Question, { kind: 'predicate' }>): PredicateResult {
  const predicate = predicateOf(call);
  if (predicate === undefined) return { ok: false, found: `this version knows no ${call.use}` };
  const artifacts = new Map(evidence.artifacts);
  const series = new Map(evidence.series);
  const { ok, found } = predicate.check(call, {
    artifact: (path) => artifacts.get(path),
    series: (name) => series.get(name),
  });
  return { ok, found: found.slice(0, MAX_FOUND) };
}

function answered(question: Question): Answer {
  switch (question.kind) {
    case 'predicate':
      return { kind: 'result', result: judged(question) };
    case 'call':
      return { kind: 'faults', faults: predicateFaults(question.call, question.pointer) };
    case 'value': {
      const { schema, value, code, pointer } = question;
      const compiled = compileSchema(schema, code, pointer);
      return { kind: 'faults', faults: compiled.ok ? compiled.faults(value, code, pointer) : compiled.faults };
    }
  }
}

/** Why it threw, as an answer: whatever a predicate does, it has failed and somebody can read why. */
function failed(question: Question, error: unknown): Answer {
  // The stack is what a nested document or a schema that refers to itself uses up.
  if (error instanceof RangeError) return { kind: 'exceeded', limit: 'depth' };
  const fault = toFault(error);
  if (question.kind === 'predicate') return { kind: 'result', result: { ok: false, found: fault.message } };
  return { kind: 'faults', faults: [{ ...fault, pointer: question.pointer }] };
}

/** Answers a question. Never throws; it may take for ever, or all of the memory. */
export function answer(question: Question): Answer {
  try {
    return answered(question);
  } catch (error) {
    return failed(question, error);
  }
}
