import Type from 'typebox';
import { IsomorphError } from '../errors/isomorph-error.ts';
import { AdapterSchema } from '../ids/adapter.ts';
import { validator } from '../schema/validate.ts';
import type { AdmittedPlan } from './admitted.ts';

const Text = Type.String();

/** Of a registry entry, what a plan is compared with: its other fields are its runtime's. */
const EntrySchema = Type.Object({
  ref: Text,
  runtime: Type.Object({ timeout_s: Type.Integer() }),
  outputs: Type.Array(Type.Object({ path: Text, required: Type.Boolean() })),
  read_only: Type.Boolean(),
  cost: Type.Object({ usd_micro_fixed: Type.Integer(), usd_micro_per_s: Type.Integer() }),
});

/** What every version of an admitted document has; fields that a later one adds are let pass. */
const AdmittedSchema = Type.Object({
  v: Type.Literal(1),
  plan_id: Text,
  title: Text,
  policy: Text,
  budget_limit_usd_micro: Type.Integer(),
  steps: Type.Array(
    Type.Object({
      id: Text,
      processor: Text,
      params: Type.Record(Text, Type.Unknown()),
      inputs: Type.Record(Text, Text),
      needs: Type.Array(Text),
      adapter: AdapterSchema,
      image: Type.Optional(Text),
      write_prefix: Text,
      queue_timeout_s: Type.Optional(Type.Integer()),
      retry: Type.Object({ max_attempts: Type.Integer(), backoff_s: Type.Number(), backoff_factor: Type.Number() }),
    }),
  ),
  predicates: Type.Array(Type.Object({ pointer: Text, call: Type.Object({ use: Text }) })),
  processors: Type.Record(Text, EntrySchema),
});

const check = validator(AdmittedSchema, 'ERR_SCHEMA');

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new IsomorphError('ERR_SCHEMA', 'the admitted plan is no JSON', {}, error);
  }
}

/**
 * An admitted document from who may have forged it together with its ledger. A service need not look: what a CID of its
 * own ledger names is what admission wrote.
 * @throws ERR_SCHEMA with the first place that is not as admission writes it
 */
export function parseAdmitted(bytes: Uint8Array): AdmittedPlan {
  const form = check(parsed(bytes));
  if (!form.ok) {
    const [first] = form.faults;
    throw new IsomorphError('ERR_SCHEMA', `no admitted plan: ${first?.message ?? 'unknown shape'}`, first);
  }
  const plan = form.value as unknown as AdmittedPlan;
  const lacks = plan.steps.findIndex(({ processor }) => !Object.hasOwn(plan.processors, processor));
  if (lacks < 0) return plan;
  throw new IsomorphError('ERR_SCHEMA', `no admitted plan: it lacks ${plan.steps[lacks]?.processor}`, {
    pointer: `/steps/${lacks}/processor`,
    expected: 'a registry entry in /processors',
  });
}
