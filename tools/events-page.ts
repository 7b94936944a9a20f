import type { TObject } from 'typebox';
import { EVENT_KINDS, type EventKind } from '../shared/ledger/events.ts';
import { LEGAL } from '../shared/ledger/legal.ts';
import { schemasOf } from '../shared/ledger/versions.ts';
import { AUDIT } from '../shared/plan/audit.ts';

/** What the tables cannot say: when a kind is written, and what its fields mean. A test looks for every field of the schemas. */
const TOLD: Readonly<Record<EventKind, string>> = {
  'plan.submitted': `By admission, when a command that names a plan has arrived. First event of every chain.
\`plan_path\` \`plan_cid\` the plan as it was sent, in canonical form, an artifact · \`bytes\` its size · \`principal\` who commands; \`anonymous\`
where nobody is named · \`command_seq\` of the command in COMMANDS; 0 where that is not known
Version 1 lacks \`principal\` (\`anonymous\`) and \`command_seq\` (0).`,
  'lease.declared': `By admission, before \`plan.admitted\`, one for each lease of the plan, where \`ISOMORPH_LEASES=declare\`. It is recorded and never enforced.
\`step_id\` · \`selector\` of WorldPaths · \`mode\` \`read\` or \`write\``,
  'plan.admitted': `By admission, in the same commit as \`plan.submitted\`, when the plan is good.
\`admitted_path\` \`admitted_cid\` the plan with its defaults filled in and its registry entries frozen, an artifact: this is what runs, whatever
becomes of the registry · \`policy\` · \`steps\` their number · \`budget_limit_usd_micro\` · \`deadline\` when the plan is cancelled by itself · \`predicates\` their number, those of steps among them ·
\`timeout_s\` which the deadline is made of
Version 1 lacks \`predicates\` and \`timeout_s\`: they are not known then.`,
  'plan.rejected': `By admission, in the same commit as \`plan.submitted\`, when it is not. Last event of its chain, unless another command takes the id.
\`faults\` the first 50 · \`fault_count\` how many there were`,
  'plan.cancel_requested': `By admission for a client (\`plans.cancel\`), by the dispatcher for a plan that outlived its deadline. Nothing is started any more; what runs is ended.
\`reason\` \`client\` or \`deadline\`; of several, the first counts`,
  'plan.settled': `By the settler, when nothing is open and nothing can start any more. Last event of its chain. Nothing is held of the budget then, and
every execution is settled.
\`status\` \`succeeded\` \`failed\` or \`cancelled\` · \`spent_usd_micro\` · \`faults\` why it did not succeed, the first 20`,
  'budget.reserved': `By the dispatcher, in front of \`execution.scheduled\`; not for a processor that is read-only. At every event of the ledger, what is spent and what is
held together stay within the limit of the plan.
\`execution_id\` · \`usd_micro\` fixed cost + cost a second × timeout`,
  'execution.scheduled': `By the dispatcher, when what the step needs has succeeded and the budget covers the reserve.
\`execution_id\` · \`step_id\` · \`attempt\` from 1 · \`processor\` · \`adapter\` · \`not_before\` the end of the wait between attempts`,
  'execution.started': `By the dispatcher that won it, before the processor is started. One execution starts once.
\`execution_id\` · \`worker\` the process that started it · \`session\` the life of the dispatcher that it belongs to · \`deadline\` when the processor is ended · \`params_cid\` of the canonical params ·
\`inputs\` by name: \`path\` and \`cid\` as they were at the start
Version 1 lacks \`session\`: it is the \`worker\`.`,
  'execution.succeeded': `By the dispatcher, when the processor has exited with 0 and every required output is there and hashed; in one commit with their \`artifact.written\`.
\`execution_id\` · \`duration_ms\` · \`environment\` where it ran: adapter, image and digest, cpu, memory, GPU, timeout, region, names of the secrets it was
given, versions of the runtime`,
  'execution.failed': `By the dispatcher, for every other end that it saw.
\`execution_id\` · \`code\` \`message\` why · \`retryable\` whether the retry policy applies · \`duration_ms\` · \`exit_code\` if it had one ·
\`log_tail\` the last lines, without secrets and signed URLs · \`environment\` if it ran`,
  'execution.lost': `By the dispatcher, when the runtime knows nothing of an execution that was started. It is tried again by itself, ten times at most, and does not count as a failure.
\`execution_id\` · \`reason\` · \`duration_ms\`; null when nobody knows: the whole reserve is charged then
Version 1 has 0 for what is not known.`,
  'budget.settled': `By the settler, after the end, in one commit with \`execution.settled\`.
\`execution_id\` · \`reserved_usd_micro\` what comes free · \`actual_usd_micro\` what is spent: fixed + a second × seconds, rounded up, never more than was reserved`,
  'execution.settled': `By the settler. One for each execution that ended, however it ended.
\`execution_id\` · \`receipt_path\` \`receipt_cid\` the determinism receipt, an artifact · \`memo_key\` equal for executions that must give the same outputs`,
  'artifact.written': `By the dispatcher for outputs and logs, by the settler for receipts. The path is immutable: a second event for it has the same CID.
\`path\` · \`cid\` · \`sha256\` for verifiers that know only that · \`size\` in bytes · \`content_type\` · \`execution_id\` whose it is, if it is one's.
Outputs lie below the write prefix of the step; logs and receipts below \`/artifacts/executions/<plan_id>/<execution_id>/\`.`,
  'predicate.checked': `By the settler, when every step has succeeded: one for each predicate, in the order of the plan.
\`pointer\` its place in the plan · \`predicate\` its name · \`ok\` · \`found\` what was there, for people`,
  'scratch.queue.published': `A message was published. \`fact_id\` · \`topic\` · \`bytes\` of its body · \`approx_size\` messages in the queue then`,
  'scratch.queue.retry': `A message goes back into its queue. \`fact_id\` · \`topic\` · \`deliveries\` so far · \`delay_s\` until the next`,
  'scratch.queue.deadletter': `A message was given up. \`fact_id\` · \`topic\` · \`deliveries\` · \`reason\`: \`expired\` when nobody answered in time, a code of
[errors.md](errors.md) where its consumer gave that alone, else \`nack\`; what was said in words stays with the dead letter, in scratch`,
  'scratch.kv.changed': `A key was changed. \`fact_id\` · \`key\` · \`op\` \`put\` \`delete\` or \`incr\``,
  'scratch.sampled': `Scratch was copied into the World. \`fact_id\` · \`path\` \`cid\` the artifact · \`dropped\` entries left out`,
  'streams.sampled': `A live series was read up to a point. \`fact_id\` · \`series\` · \`watermark\` the last chunk that was seen · \`every_n\` one of so many chunks is
kept · \`chunk_count\` that were kept · \`dropped_chunks\``,
};

interface Section {
  readonly title: string;
  readonly text: string;
  readonly kinds: readonly EventKind[];
}

const SECTIONS: readonly Section[] = [
  {
    title: 'What every event has',
    text: `\`\`\`json
{"by":"dispatcher","data":{…},"kind":"artifact.written","plan_id":"iris-001","prev_hash":"blake3:…","seq":7,"this_hash":"blake3:…","ts":"2026-11-22T08:00:00.000Z","v":1}
\`\`\`

| field | |
|---|---|
| \`by\` | the service that wrote it: \`admission\` \`dispatcher\` \`settler\` \`sampler\` |
| \`data\` | what happened, as below |
| \`kind\` | one of the kinds below |
| \`plan_id\` | the plan whose chain it is in |
| \`prev_hash\` | \`this_hash\` of the event before; \`null\` at seq 1 |
| \`seq\` | place in the chain of the plan: from 1, without gaps |
| \`this_hash\` | \`blake3:\` and the BLAKE3 in hex of the event without this field, as canonical JSON (RFC 8785, UTF-8) |
| \`ts\` | when its writer decided it, UTC with milliseconds; never before the event in front of it |
| \`v\` | the version of its kind's data |

Events that belong together are one **commit**: one message, one event a line, on the subject \`ledger.<plan_id>.<kind of its last event>\`.
All of a commit is in the ledger or none of it. An event has 65,535 bytes at most (65,536 in version 1), a commit 512 KiB.

Amounts are whole micro-dollars, durations milliseconds, times RFC 3339, CIDs \`blake3:<64 hex>\`. A \`fault\` is \`{code, message, pointer?, expected?}\`
with a code of [errors.md](errors.md). No event holds the body of a message or artifact, or the value of a secret.`,
    kinds: [],
  },
  {
    title: "A plan's life",
    text: `\`\`\`
plan.submitted ─ lease.declared* ─┬─ plan.rejected
                                  └─ plan.admitted ─ … ─ plan.settled
\`\`\`
Everything else stands between \`plan.admitted\` and \`plan.settled\`. Nothing follows \`plan.settled\`; a \`plan.submitted\` of another command may follow
\`plan.rejected\`: the id is given back.`,
    kinds: [
      'plan.submitted',
      'lease.declared',
      'plan.admitted',
      'plan.rejected',
      'plan.cancel_requested',
      'plan.settled',
    ],
  },
  {
    title: 'Executions',
    text: `One attempt to run a step, \`execution_id\` = \`<plan_id>.<step_id>.<attempt>\`:
\`\`\`
budget.reserved ─ execution.scheduled ─ execution.started ─┬─ execution.succeeded ─┬─ budget.settled ─ execution.settled
                                                           ├─ execution.failed ────┤
                                                           └─ execution.lost ──────┘
\`\`\`
An execution may end without having started: its plan was cancelled, or an input was missing.`,
    kinds: [
      'budget.reserved',
      'execution.scheduled',
      'execution.started',
      'execution.succeeded',
      'execution.failed',
      'execution.lost',
      'budget.settled',
      'execution.settled',
    ],
  },
  { title: 'Artifacts and checks', text: ``, kinds: ['artifact.written', 'predicate.checked'] },
  {
    title: 'Facts of scratch use',
    text: `By the sampler, from what scratch adapters and processors report on \`facts.<plan_id>.>\`; never bodies or values. A \`key\`
or \`topic\` is \`hmac-sha256:<hex>\` where it might hold a secret ([secrets.md](secrets.md)), and \`[withheld]\` when nobody said how to tell it. \`fact_id\` is made from the
place of the report in its stream, so a report that is delivered twice is one event. A report that comes after the end of its plan is found on
\`dead.facts.<principal>.<plan_id>\`.`,
    kinds: [
      'scratch.queue.published',
      'scratch.queue.retry',
      'scratch.queue.deadletter',
      'scratch.kv.changed',
      'scratch.sampled',
      'streams.sampled',
    ],
  },
];

const quoted = (names: readonly string[], between = ' '): string => names.map((name) => `\`${name}\``).join(between);
const list = (rules: readonly { readonly says: string }[]): string[] => rules.map(({ says }) => `- ${says}`);

/** The fields of each version, from its schema: the newest whole, those before it by what they lack. */
function fieldsOf(kind: EventKind): string {
  const versions = schemasOf(kind).map((schema) => schema as TObject);
  const newest = versions.at(-1);
  const optional = (field: string): string => (newest?.required?.includes(field) === true ? '' : '?');
  const fields = Object.keys(newest?.properties ?? {});
  const lacking = versions.slice(0, -1).flatMap(({ properties }, before) => {
    const missing = fields.filter((field) => !Object.hasOwn(properties, field));
    return missing.length === 0 ? [] : [`; version ${before + 1} without ${quoted(missing)}`];
  });
  const all = fields.map((field) => `\`${field}\`${optional(field)}`).join(' ');
  return `*Version ${versions.length}*: ${all}${lacking.join('')}`;
}

/** Where a kind is legal, as the tables have it. */
function legality(kind: EventKind): string[] {
  const { by, in: phases, rules } = LEGAL[kind];
  const audited = AUDIT[kind] ?? [];
  return [
    `*Legal* by ${quoted(by, ' or ')}, while the plan is ${quoted(phases, ' or ')}${rules.length > 0 ? ', where' : ''}`,
    ...list(rules),
    ...(audited.length > 0 ? ['', '*With the admitted plan*', ...list(audited)] : []),
  ];
}

const sectionOf = ({ title, text, kinds }: Section): string =>
  [
    `## ${title}`,
    '',
    ...(text === '' ? [] : [text]),
    ...kinds.flatMap((kind) => ['', `### ${kind}`, TOLD[kind], '', fieldsOf(kind), '', ...legality(kind)]),
  ].join('\n');

/** `docs/events.md`. @param generated the sentence that says who writes the page */
export function eventsPage(generated: string): string {
  const untold = EVENT_KINDS.filter((kind) => !SECTIONS.some(({ kinds }) => kinds.includes(kind)));
  if (untold.length > 0) throw new Error(`no section of docs/events.md has ${untold.join(', ')}`);
  return `# Events

The ledger of a plan is a chain of events. This page says for each kind who writes it, when, what it holds and where it is legal; the tables are
[legal.ts](../shared/ledger/legal.ts) for what the chain alone tells and [audit.ts](../shared/plan/audit.ts) for what the admitted plan tells. The set is closed for one version of Isomorph:
an event of another kind, \`v\` or \`by\` that links is of a later one, and a reader says so. ${generated}

${SECTIONS.map(sectionOf).join('\n\n')}
`;
}
