/**
 * Writes the golden ledgers and their summaries: `node --import tsx test/ledger/golden/make.ts`.
 * They are ledgers that exist: every later version must read them, and read the same out of them. A new kind of event gets a
 * new ledger here; one that is committed is never made anew. Beside them, the digests of schemas: those of versions that have none
 * are added. And what is found of each ledger with one step changed (`legality.json`), of ledgers that have none yet.
 */
import { access, readFile, writeFile } from 'node:fs/promises';
import { canonicalText } from '../../../shared/hash/canonical.ts';
import { type Draft, FACT_KINDS } from '../../../shared/ledger/events.ts';
import { goldenEvents, verdictsOf } from '../legality.ts';
import {
  admitted,
  admittedChain,
  Chain,
  cancelRequested,
  checked,
  ENVIRONMENT,
  fact,
  failed,
  lost,
  rejected,
  scheduled,
  settled,
  settledExecution,
  started,
  submitted,
  succeeded,
  written,
} from '../plan-history.ts';
import { type Digests, digestsNow } from '../schema-digests.ts';
import { summarize } from './summary.ts';

const lease: Draft = {
  kind: 'lease.declared',
  data: { step_id: 'train', selector: '/artifacts/outputs/golden-retried/**', mode: 'write' },
};

/** Of the kinds of facts, those that `golden-retried` has. */
const FACTS_ABOVE = 6;

/** Runs a step up to its end, and settles it. */
function attempt(
  chain: Chain,
  stepId: string,
  number: number,
  [reserve, actual]: [number, number],
  end: Draft[],
): void {
  const id = `${chain.planId}.${stepId}.${number}`;
  chain.append('dispatcher', scheduled(chain.planId, stepId, number, reserve), 30);
  chain.append('dispatcher', [started(id)], 1_500);
  chain.append('dispatcher', end, 900);
  chain.append('settler', settledExecution(chain.planId, id, reserve, actual), 20);
}

/** Fails, is lost, succeeds; scratch is used meanwhile; a read-only step reserves nothing. */
function retried(): Chain {
  const planId = 'golden-retried';
  const chain = new Chain(planId).append(
    'admission',
    [submitted(planId), lease, admitted(planId, 1_000, { steps: 2 })],
    0,
  );
  attempt(chain, 'train', 1, [300, 120], [failed(`${planId}.train.1`, 880)]);
  attempt(chain, 'train', 2, [300, 300], [lost(`${planId}.train.2`, null)]);
  chain.append(
    'sampler',
    Array.from({ length: FACTS_ABOVE }, (_, number) => fact(number)),
    5,
  );
  const id = `${planId}.train.3`;
  attempt(chain, 'train', 3, [300, 300], [written(planId, 'train', 'modell-größe.json', id), succeeded(id, 897)]);
  attempt(chain, 'judge', 1, [0, 0], [succeeded(`${planId}.judge.1`, 3)]);
  return chain.append('settler', [checked(0, true), checked(1, true), settled('succeeded', 720)], 40);
}

function failing(): Chain {
  const planId = 'golden-failed';
  const chain = admittedChain(planId, 500);
  const id = `${planId}.fetch.1`;
  attempt(chain, 'fetch', 1, [200, 7], [failed(id, 12, { retryable: false, exit_code: 65, code: 'ERR_EXIT' })]);
  chain.append('dispatcher', [cancelRequested('deadline')], 86_400_000);
  const fault = { code: 'ERR_EXIT', message: `${id}: Größe 3 ≠ 4`, pointer: '/steps/fetch' };
  const end: Draft = { kind: 'plan.settled', data: { status: 'failed', spent_usd_micro: 7, faults: [fault] } };
  return chain.append('settler', [end], 15);
}

/** Cancelled while one step runs and another waits. */
function cancelled(): Chain {
  const planId = 'golden-cancelled';
  const [running, waiting] = [`${planId}.fetch.1`, `${planId}.train.1`];
  return admittedChain(planId, 500)
    .append('dispatcher', [...scheduled(planId, 'fetch', 1, 200), ...scheduled(planId, 'train', 1, 300)])
    .append('dispatcher', [started(running)], 700)
    .append('admission', [cancelRequested('client')], 250)
    .append('dispatcher', [failed(waiting, 0, { code: 'ERR_CANCELLED', retryable: false })])
    .append('dispatcher', [failed(running, 300, { code: 'ERR_CANCELLED', retryable: false })], 60)
    .append('settler', settledExecution(planId, running, 200, 11))
    .append('settler', settledExecution(planId, waiting, 300, 0))
    .append('settler', [settled('cancelled', 11)]);
}

/** Past its deadline, while the store takes no receipt. */
function unreceipted(): Chain {
  const planId = 'golden-unreceipted';
  const id = `${planId}.fetch.1`;
  const message = `the receipt of ${id} could not be stored before the plan had to end`;
  const faults = [{ code: 'ERR_UNAVAILABLE', message, pointer: '/steps/fetch' }];
  return admittedChain(planId, 500)
    .append('dispatcher', scheduled(planId, 'fetch', 1, 200))
    .append('dispatcher', [started(id)], 700)
    .append('dispatcher', [cancelRequested('deadline')], 86_400_000)
    .append('dispatcher', [failed(id, 300, { code: 'ERR_CANCELLED', retryable: false })], 60)
    .append('settler', settledExecution(planId, id, 200, 11, false))
    .append('settler', [{ kind: 'plan.settled', data: { status: 'failed', spent_usd_micro: 11, faults } }]);
}

const refused = (): Chain =>
  new Chain('golden-rejected').append('admission', [submitted('golden-rejected'), rejected('zu groß')], 0);

/** Its id was given back, and taken by another command. */
const resubmitted = (): Chain =>
  new Chain('golden-resubmitted')
    .append('admission', [submitted('golden-resubmitted', 7), rejected('zu groß')], 0)
    .append('admission', [
      submitted('golden-resubmitted', 9),
      admitted('golden-resubmitted', 100, { steps: 1, predicates: 0 }),
    ])
    .append('admission', [cancelRequested('client')])
    .append('settler', [settled('cancelled', 0)]);

/** Two steps of a worker: its digest is its own word. */
function claimed(): Chain {
  const planId = 'golden-claimed';
  const chain = new Chain(planId).append('admission', [submitted(planId), admitted(planId, 500, { steps: 2 })], 0);
  const environment = { ...ENVIRONMENT, adapter: 'worker', image: 'test/probe@1', claimed: true } as const;
  const onWorker = (draft: Draft): Draft =>
    draft.kind === 'execution.scheduled' ? { ...draft, data: { ...draft.data, adapter: 'worker' } } : draft;
  for (const [stepId, end] of [
    ['fetch', (id: string): Draft => failed(id, 12, { retryable: false, environment })],
    [
      'train',
      (id: string): Draft => ({ kind: 'execution.succeeded', data: { execution_id: id, duration_ms: 9, environment } }),
    ],
  ] as const) {
    const id = `${planId}.${stepId}.1`;
    chain.append('dispatcher', scheduled(planId, stepId, 1, 200).map(onWorker), 30);
    chain.append('dispatcher', [started(id)], 1_500);
    chain.append('dispatcher', [end(id)], 900);
    chain.append('settler', settledExecution(planId, id, 200, 7), 20);
  }
  return chain.append('settler', [settled('failed', 14)], 15);
}

/** Kinds of facts that came after the ledgers above were written: each has one of its own. */
const later = (): Chain[] =>
  FACT_KINDS.map((_, number) => fact(number))
    .slice(FACTS_ABOVE)
    .map((one) => {
      const planId = `golden-${one.kind.replaceAll('.', '-')}`;
      return admittedChain(planId, 100)
        .append('sampler', [one])
        .append('admission', [cancelRequested('client')])
        .append('settler', [settled('cancelled', 0)]);
    });

const here = new URL('./v2/', import.meta.url);
const summaryFile = new URL('summaries.json', here);
const summaries = JSON.parse(await readFile(summaryFile, 'utf8').catch(() => '{}')) as Record<string, unknown>;
for (const chain of [
  retried(),
  failing(),
  cancelled(),
  unreceipted(),
  refused(),
  resubmitted(),
  claimed(),
  ...later(),
]) {
  const file = new URL(`${chain.planId}.ndjson`, here);
  const exists = await access(file).then(
    () => true,
    () => false,
  );
  if (exists) continue;
  await writeFile(file, chain.events.map((event) => `${canonicalText(event)}\n`).join(''));
  summaries[chain.planId] = summarize(chain.state);
}
await writeFile(summaryFile, `${JSON.stringify(summaries, null, 2)}\n`);

const legalityFile = new URL('legality.json', import.meta.url);
const pictures = JSON.parse(await readFile(legalityFile, 'utf8').catch(() => '{}')) as Record<string, unknown>;
for (const [name, events] of await goldenEvents(here)) pictures[name] ??= verdictsOf(name, events);
await writeFile(legalityFile, `${JSON.stringify(pictures, null, 2)}\n`);

const schemaFile = new URL('schemas.json', import.meta.url);
const given = JSON.parse(await readFile(schemaFile, 'utf8').catch(() => '{}')) as Digests;
const digests = Object.fromEntries(
  Object.entries(digestsNow()).map(([kind, all]) => [kind, all.map((digest, index) => given[kind]?.[index] ?? digest)]),
);
await writeFile(schemaFile, `${JSON.stringify(digests, null, 2)}\n`);
