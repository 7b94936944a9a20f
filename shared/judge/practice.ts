/**
 * Questions that a judge answers to itself before it says that it is ready: what their kind needs is loaded and compiled then.
 * A first schema costs 100 to 250 ms of CPU, its like afterwards less than one; whoever is asked first must not pay for it.
 */
import type { PredicateCall } from '../plan/plan.ts';
import type { Question, SentEvidence } from './question.ts';

const PATH = '/artifacts/practice.json';

const EVIDENCE: SentEvidence = {
  artifacts: [[PATH, { cid: `blake3:${'0'.repeat(64)}`, size: 13, bytes: new TextEncoder().encode('{"rows":[1]}\n') }]],
  series: [['loss', 1]],
};

/** What plans usually ask for: the parts of the library behind these words are what takes its time. */
const SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  required: ['rows'],
  properties: {
    rows: { type: 'array', minItems: 1, items: { $ref: '#/$defs/row' } },
    name: { type: 'string', pattern: '^[a-z]+$', format: 'date-time' },
  },
  $defs: { row: { anyOf: [{ type: 'integer', minimum: 0 }, { enum: ['none', null] }] } },
};

const CALLS: readonly PredicateCall[] = [
  { use: 'json.schema_ok@1', path: PATH, schema: SCHEMA } as PredicateCall,
  {
    use: 'artifact.jmespath_ok@1',
    path: PATH,
    expression: 'length(rows) > `0` && sum(rows[?@ > `0`]) == `1`',
  } as PredicateCall,
];

export const PRACTICE: readonly Question[] = [
  ...CALLS.flatMap((call): Question[] => [
    { kind: 'call', call, pointer: '' },
    { kind: 'predicate', call, evidence: EVIDENCE },
  ]),
  // One that fits, and one whose faults have to be told.
  { kind: 'value', schema: SCHEMA, value: { rows: [1] }, code: 'ERR_PARAMS', pointer: '' },
  { kind: 'value', schema: SCHEMA, value: { rows: [] }, code: 'ERR_PARAMS', pointer: '' },
];
