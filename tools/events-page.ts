import type { TObject } from 'typebox';
import { EVENT_KINDS, EVENT_WORDS, type EventKind } from '../shared/ledger/events.ts';
import { LEGAL } from '../shared/ledger/legal.ts';
import { schemasOf } from '../shared/ledger/versions.ts';
import { AUDIT } from '../shared/plan/audit.ts';

interface Section {
  readonly title: string;
  readonly text: string;
  /** Of kinds, what stands before their first dot. */
  readonly families: readonly string[];
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
    families: [],
  },
  {
    title: "A plan's life",
    text: `\`\`\`
plan.submitted ─ lease.declared* ─┬─ plan.rejected
                                  └─ plan.admitted ─ … ─ plan.settled
\`\`\`
Everything else stands between \`plan.admitted\` and \`plan.settled\`. Nothing follows \`plan.settled\`; a \`plan.submitted\` of another command may follow
\`plan.rejected\`: the id is given back.`,
    families: ['plan', 'lease'],
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
    families: ['budget', 'execution'],
  },
  { title: 'Artifacts and checks', text: ``, families: ['artifact', 'predicate'] },
  {
    title: 'Facts of scratch use',
    text: `By the sampler, from what scratch adapters and processors report on \`facts.<plan_id>.>\`; never bodies or values. A \`key\`
or \`topic\` is \`hmac-sha256:<hex>\` where it might hold a secret ([secrets.md](secrets.md)), and \`[withheld]\` when nobody said how to tell it. \`fact_id\` is made from the
place of the report in its stream, so a report that is delivered twice is one event. A report that is still under way when its plan ends
is dropped, and told in the log of the sampler: reports are sent beside the work, in no order with it, and nothing waits for them.`,
    families: ['scratch', 'streams'],
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

const kindsOf = ({ families }: Section): EventKind[] =>
  EVENT_KINDS.filter((kind) => families.includes(kind.slice(0, kind.indexOf('.'))));

const sectionOf = (section: Section): string =>
  [
    `## ${section.title}`,
    '',
    ...(section.text === '' ? [] : [section.text]),
    ...kindsOf(section).flatMap((kind) => [
      '',
      `### ${kind}`,
      EVENT_WORDS[kind],
      '',
      fieldsOf(kind),
      '',
      ...legality(kind),
    ]),
  ].join('\n');

/** `docs/events.md`. @param generated the sentence that says who writes the page */
export function eventsPage(generated: string): string {
  const told = SECTIONS.flatMap(kindsOf);
  const untold = EVENT_KINDS.filter((kind) => !told.includes(kind));
  if (untold.length > 0)
    throw new Error(`no section of docs/events.md is for ${untold.join(', ')}: name its family there`);
  return `# Events

The ledger of a plan is a chain of events. This page says for each kind who writes it, when, what it holds and where it is legal; the tables are
[legal.ts](../shared/ledger/legal.ts) for what the chain alone tells and [audit.ts](../shared/plan/audit.ts) for what the admitted plan tells. The set is closed for one version of Isomorph:
an event of another kind, \`v\` or \`by\` that links is of a later one, and a reader says so. ${generated}

${SECTIONS.map(sectionOf).join('\n\n')}
`;
}
