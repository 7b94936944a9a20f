/** What it costs to judge where a judgement can be ended, beside judging in place: usual checks, with a warm pool. */
import { Judge } from '../shared/judge/judge.ts';
import { answer, type SentEvidence } from '../shared/judge/question.ts';
import type { PredicateCall } from '../shared/plan/plan.ts';
import { type Bench, takeTurns } from './harness.ts';

const CHECKS = 200;
const ROUNDS = 15;
const WARM_UPS = 5;
const MS_PER_S = 1_000;
/** A document of a usual size: the summary of a table. */
const ROWS = 100;

const PATH = '/artifacts/outputs/bench/a/out.json';
const DOCUMENT = JSON.stringify({ rows: Array.from({ length: ROWS }, (_, n) => ({ name: `row ${n}`, value: n })) });

const EVIDENCE: SentEvidence = {
  artifacts: [[PATH, { cid: 'blake3:00', size: DOCUMENT.length, bytes: Buffer.from(DOCUMENT) }]],
  series: [],
};

const CALLS = {
  query: { use: 'artifact.jmespath_ok@1', path: PATH, expression: 'rows[?value > `50`] | length(@) > `10`' },
  schema: {
    use: 'json.schema_ok@1',
    path: PATH,
    schema: {
      type: 'object',
      required: ['rows'],
      properties: { rows: { type: 'array', items: { type: 'object', required: ['name', 'value'] } } },
    },
  },
} satisfies Readonly<Record<string, PredicateCall & Record<string, unknown>>>;

async function over(judge: Judge, call: PredicateCall) {
  const ours = async () => {
    for (let n = 0; n < CHECKS; n++) await judge.predicate('bench', call, EVIDENCE);
  };
  const inPlace = async () => {
    for (let n = 0; n < CHECKS; n++) answer({ kind: 'predicate', call, evidence: EVIDENCE });
  };
  const { oursS, referenceS, ratio } = await takeTurns(ours, inPlace, ROUNDS, WARM_UPS);
  return { ratio, oursMs: (oursS / CHECKS) * MS_PER_S, inPlaceMs: (referenceS / CHECKS) * MS_PER_S };
}

export const bench: Bench = async () => {
  const judge = new Judge();
  const ratios: Record<string, number> = {};
  const figures: Record<string, number> = {};
  try {
    for (const [name, call] of Object.entries(CALLS)) {
      const held = await judge.predicate('bench', call, EVIDENCE);
      if (!held.ok) throw new Error(`${name} does not hold: ${held.found}`);
      const { ratio, oursMs, inPlaceMs } = await over(judge, call);
      ratios[name] = ratio;
      figures[`${name}_judged_ms`] = oursMs;
      figures[`${name}_in_place_ms`] = inPlaceMs;
      figures[`${name}_over_in_place_ms`] = oursMs - inPlaceMs;
    }
  } finally {
    await judge.close();
  }
  return { ratios, figures, notes: ['goal: less than 1 ms over in place'] };
};
