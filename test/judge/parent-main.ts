/** Asks a judge something without end, tells the pids of its judges, and goes on asking. */
import { Judge } from '../../shared/judge/judge.ts';
import type { PredicateCall } from '../../shared/plan/plan.ts';
import { judgesOf } from './judges-of.ts';

const path = '/artifacts/inputs/x.json';
const text = JSON.stringify({ t: `${'a'.repeat(40)}!` });
const evidence = {
  artifacts: [[path, { cid: 'blake3:00', size: text.length, bytes: Buffer.from(text) }]] as const,
  series: [],
};
const call = {
  use: 'json.schema_ok@1',
  path,
  schema: { properties: { t: { pattern: '^(a+)+$' } } },
} as PredicateCall;

const judge = new Judge();
void judge.predicate('p', call, evidence);
process.stdout.write(`${(await judgesOf(process.pid)).join(' ')}\n`);
