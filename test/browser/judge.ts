/** What is told of one export, by the same code in Node and in a browser. Plain JSON comes out. */
import { blake3EngineName } from '../../shared/hash/blake3.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { Verifier } from '../../shared/ledger/verify.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import { PREDICATE_NAMES, predicateFaults, predicateOf } from '../../shared/plan/predicates/index.ts';
import type { Evidence } from '../../shared/plan/predicates/predicate.ts';
import { progressOf } from '../../shared/plan/progress.ts';
import { summarize } from '../ledger/golden/summary.ts';

export interface Export {
  readonly name: string;
  readonly text: string;
  readonly admitted: AdmittedPlan | undefined;
}

/** The engines of JMESPath and of JSON Schema, at their work. */
const CALLS = [
  { use: 'artifact.exists@1', path: '/artifacts/a.json' },
  { use: 'artifact.jmespath_ok@1', path: '/artifacts/a.json', expression: 'rows == `344`' },
  { use: 'json.schema_ok@1', path: '/artifacts/a.json', schema: { properties: { rows: { maximum: 343 } } } },
  { use: 'series.has_new@1', series: 'loss' },
];
const bytes = new TextEncoder().encode('{"rows":344}');
const evidence: Evidence = {
  artifact: () => ({ cid: cidOf(bytes), size: bytes.byteLength, bytes }),
  series: () => 40,
};

export const judgePredicates = (): unknown => ({
  names: PREDICATE_NAMES,
  results: CALLS.map((call) => [predicateFaults(call, '/predicates/0'), predicateOf(call)?.check(call, evidence)]),
});

export function judge({ text, admitted }: Export): unknown {
  const verifier = new Verifier();
  for (const [index, line] of text.trimEnd().split('\n').entries()) verifier.line(line, `line ${index + 1}`);
  const { plans, findings, events } = verifier.verdict();
  const states = plans.flatMap(({ planId }) => verifier.state(planId) ?? []);
  const progress = admitted && states.map((state) => [...progressOf(state, admitted).steps]);
  return { events, plans, findings, folded: states.map(summarize), progress };
}

export { blake3EngineName };
