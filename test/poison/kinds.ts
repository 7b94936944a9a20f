/** Poison for each door: what a client, a processor, a service's credentials or a container can send. */
import fc from 'fast-check';
import { FACT_KINDS } from '../../shared/ledger/events.ts';
import { ANONYMOUS_SUBJECTS, COMMANDS, commandSubject } from '../../shared/wire/commands.ts';
import { workSubject } from '../../shared/wire/work.ts';
import { awkwardHeaders, garbled, type Poison } from './garbled.ts';

const token = fc.oneof(
  { weight: 3, arbitrary: fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,12}$/) },
  { weight: 1, arbitrary: fc.constantFrom('UPPER', 'a%2eb', '-', '_', '$JS', 'x'.repeat(100), 'é', '..x'.slice(2)) },
);

const planId = fc.nat(1_000_000_000).map((n) => `poison-${n.toString(36)}`);

/** Few of them can be admitted, and what is admitted runs for no time: a step of it costs a process. */
const plan = fc.tuple(planId, fc.constantFrom(1, 1, 1, 1, 1, 1, 1, 1, 1, 1_000)).map(([id, limit]) => ({
  plan_id: id,
  title: 'poison',
  timeout_s: 60,
  budget: { limit_usd_micro: limit },
  steps: [{ id: 'a', processor: 'test/probe@1', params: { value: 1 } }],
  predicates: [{ use: 'artifact.exists@1', path: `/artifacts/outputs/${id}/a/out.json` }],
}));

const cancel = planId.map((id) => ({ plan_id: id, reason: 'poison' }));

const about = (subject: fc.Arbitrary<string>, body: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Poison> =>
  fc.record({ subject, body, headers: awkwardHeaders });

const command = garbled(fc.oneof({ weight: 4, arbitrary: plan }, { weight: 1, arbitrary: cancel }));

export const commands = about(fc.constantFrom(...ANONYMOUS_SUBJECTS), command);

/** Of one principal. */
export const commandsOf = (principal: string) =>
  about(fc.constantFrom(...COMMANDS.map((name) => commandSubject(name, principal))), command);

/** Of principals, and of tokens that are none. */
export const namedCommands = about(
  fc.tuple(token, fc.constantFrom(...COMMANDS)).map(([principal, name]) => `plans.${principal}.${name}`),
  command,
);

const fact = fc.constantFrom(...FACT_KINDS).map((kind) => ({
  kind,
  data: { backend: 'memory', key: 'k', topic: 't', op: 'put', size: 1, message_id: 'm', at: '2026-01-01T00:00:00Z' },
}));

export const facts = about(
  fc
    .tuple(token, fc.oneof(fc.constantFrom<string>(...FACT_KINDS), token))
    .map(([plan, kind]) => `facts.${plan}.${kind}`),
  garbled(fact),
);

const work = planId.map((id) => ({
  plan_id: id,
  execution_id: `${id}.a.1`,
  not_before: '2026-01-01T00:00:00Z',
  deadline: '2026-01-01T00:00:00Z',
  ledger_seq: 1,
}));

export const workMessages = about(fc.constant(workSubject('mock')), garbled(work));

const event = planId.map((id) => ({
  v: 2,
  plan_id: id,
  seq: 1,
  ts: '2026-01-01T00:00:00.000Z',
  by: 'admission',
  kind: 'plan.submitted',
  data: { cid: 'x' },
  prev_hash: null,
  hash: `blake3:${'0'.repeat(64)}`,
}));

export const ledgerMessages = about(
  fc.tuple(token, token, token).map((tokens) => `ledger.${tokens.join('.')}`),
  garbled(event),
);

const report = fc.constantFrom(
  { isomorph: 'progress', fraction: 0.5, message: 'half way' },
  { isomorph: 'error', code: 'ERR_BAD_INPUT', message: 'no', retryable: false },
);

/** Lines that a processor writes, as bytes: no line end is added. */
export const reports = garbled(report);
