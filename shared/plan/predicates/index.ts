import { type Fault, fault } from '../../errors/isomorph-error.ts';
import { validator } from '../../schema/validate.ts';
import type { PredicateCall } from '../plan.ts';
import { artifactExists } from './artifact-exists.ts';
import { artifactJmespathOk } from './artifact-jmespath-ok.ts';
import { jsonSchemaOk } from './json-schema-ok.ts';
import type { Evidence, EvidenceRead, Predicate, PredicateResult } from './predicate.ts';
import { seriesHasNew } from './series-has-new.ts';

/** A predicate behind its argument check, so that callers need not know its argument type. */
export interface BoundPredicate {
  readonly paths: readonly string[];
  /** Whether it runs what a user wrote: then it is judged where it can be ended. */
  readonly hasProgram: boolean;
  faults(call: PredicateCall, pointer: string): readonly Fault[];
  reads(call: PredicateCall): readonly EvidenceRead[];
  check(call: PredicateCall, evidence: Evidence): PredicateResult;
}

function bind<Args>(predicate: Predicate<Args>): [string, BoundPredicate] {
  const validate = validator(predicate.args, 'ERR_SCHEMA');
  // Sound because `faults` ran at admission: an admitted call has the argument type of its predicate.
  const args = (call: PredicateCall): Args => call as Args;
  return [
    predicate.use,
    {
      paths: predicate.paths,
      hasProgram: predicate.programFaults !== undefined,
      faults(call, pointer) {
        const result = validate(call, pointer);
        if (!result.ok) return result.faults;
        return predicate.programFaults?.(args(call), pointer) ?? [];
      },
      reads: (call) => predicate.reads(args(call)),
      check: (call, evidence) => predicate.check(args(call), evidence),
    },
  ];
}

const PREDICATES: ReadonlyMap<string, BoundPredicate> = new Map([
  bind(artifactExists),
  bind(artifactJmespathOk),
  bind(jsonSchemaOk),
  bind(seriesHasNew),
]);

export const PREDICATE_NAMES = [...PREDICATES.keys()] as readonly string[];

export const predicateOf = (call: PredicateCall): BoundPredicate | undefined => PREDICATES.get(call.use);

/** Faults of a call: an unknown name, or arguments that do not fit. */
export function predicateFaults(call: PredicateCall, pointer: string): readonly Fault[] {
  const predicate = predicateOf(call);
  if (predicate !== undefined) return predicate.faults(call, pointer);
  const expected = `one of ${PREDICATE_NAMES.join(', ')}`;
  return [fault('ERR_UNKNOWN_PREDICATE', `no predicate "${call.use}"`, { pointer: `${pointer}/use`, expected })];
}
