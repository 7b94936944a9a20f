import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { LIMITS } from '../services/common/config/limits.ts';
import type { Variable } from '../services/common/config/variable.ts';
import { VARIABLES } from '../services/common/config/variables.ts';
import { PROCESSES } from '../services/common/services.ts';
import { ERROR_TABLE } from '../shared/errors/codes.ts';
import type { Backends } from '../shared/providers/backends.ts';
import type { KvCapabilities, QueueCapabilities } from '../shared/scratch/capabilities.ts';
import { KV_BACKENDS, kvCapabilities } from '../shared/scratch/kv/open.ts';
import { QUEUE_BACKENDS, queueCapabilities } from '../shared/scratch/queue/open.ts';
import { formatAmount } from '../shared/text/amount.ts';
import { KV_BUCKET, kvKey } from '../shared/wire/scratch-kv.ts';
import { eventsPage } from './events-page.ts';
import { kvMatrix, type Matrix, queueMatrix } from './scratch-matrix.ts';

/** `npm run docs`: pages that are tables of the code. A test compares them with what this would write. */

const cell = (text: string): string => text.replaceAll('|', '\\|');
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

const GENERATED = 'This page is written by `npm run docs` from the code; a test keeps both the same.';

function errorsPage(): string {
  const rows = Object.entries(ERROR_TABLE).map(([code, { meaning, retryable, remedy }]) => [
    `\`${code}\``,
    meaning,
    retryable ? 'yes' : 'no',
    remedy,
  ]);
  return `# Error codes

Act on a code, never on a message. An error also carries its place (a JSON Pointer into the input) and what was expected
there, where it has one. ${GENERATED}

${table(['code', 'meaning', 'worth a retry', 'what to do'], rows)}
`;
}

const fallbackOf = ({ fallback }: Variable<unknown>): string =>
  fallback === undefined ? '' : `\`${fallback === false ? 'off' : String(fallback)}\``;

const neededBy = ({ neededBy: always, neededWhen = [] }: Variable<unknown>): string =>
  always.length === PROCESSES.length
    ? 'all'
    : [...always, ...neededWhen.map(({ by, when }) => `${by} ${when}`)].join(', ');

const limitsTable = (): string =>
  table(
    ['variable', 'bounds', 'when absent', 'form'],
    Object.values(LIMITS).map(({ name, meaning, unit, fallback, expected }) => [
      `\`${name}\``,
      meaning,
      `\`${unit === 'bytes' ? formatAmount(fallback) : fallback}\``,
      expected,
    ]),
  );

function configurationPage(): string {
  const others = Object.entries(VARIABLES).filter(([key]) => !Object.hasOwn(LIMITS, key));
  const rows = others.map(([, variable]: [string, Variable<unknown>]) => [
    `\`${variable.name}\``,
    variable.meaning,
    variable.expected,
    fallbackOf(variable),
    neededBy(variable),
  ]);
  return `# Configuration

Each service reads its environment once, at start, and names every fault in one message. \`npm run dev\` and
\`npm run demo\` set all of this themselves. ${GENERATED}

${table(['variable', 'meaning', 'form', 'when absent', 'needed by'], rows)}

## Limits

Small by default, so that a small disk and a small machine hold. What a limit refuses is told to whoever asked, with a code; at 80 % and when it is hit
a service logs a line, once and then once a minute.

${limitsTable()}

A service that gets SIGTERM or SIGINT ends within 9 s: 6 s for what is under way, the rest for closing. What takes longer is taken up by whoever runs next, and its log says so.

Beside these, \`npm run dev\` and the tests read \`NATS_SERVER\` (the path of a nats-server to use) and
\`ISOMORPH_CACHE\` (where an obtained one is kept; default \`.cache\`). \`ISOMORPH_DEBUG=1\` lets the command line show
stack traces. With \`SECRETS_URL=env:\` the secret \`NAME\` is the variable \`ISOMORPH_SECRET_NAME\`.
`;
}

/** What a backend can do, by its scheme; it does not depend on where the backend is. */
const declared = async <C>(backends: Backends<unknown>, of: (url: string) => Promise<C>): Promise<[string, C][]> =>
  Promise.all(backends.examples.map(async (url): Promise<[string, C]> => [new URL(url).protocol, await of(url)]));

const KV_DECLARED = await declared(KV_BACKENDS, kvCapabilities);
const QUEUE_DECLARED = await declared(QUEUE_BACKENDS, queueCapabilities);

const yesNo = (value: boolean): string => (value ? 'yes' : 'no');

const KV_COLUMNS: Readonly<Record<keyof KvCapabilities, string>> = {
  ttl: 'finest time to live',
  maxValueBytes: 'largest value, bytes',
  durable: 'durable',
};

const QUEUE_COLUMNS: Readonly<Record<keyof QueueCapabilities, string>> = {
  visibility: 'visibility timeout',
  dedupeS: 'keys remembered, s',
  dedupeSurvivesRestart: 'over a restart',
  redeliverAfterAck: 'may come after its ack',
  ordering: 'order',
  maxBodyBytes: 'largest body, bytes',
  maxDelayS: 'longest delay, s',
  maxVisibilityS: 'longest visibility, s',
  exactStats: 'exact `stats`',
  refusesUsedReceipts: 'used receipts refused everywhere',
  durable: 'durable',
};

function capabilityTable<C extends object>(
  columns: Readonly<Record<keyof C & string, string>>,
  backends: [string, C][],
) {
  const names = Object.keys(columns) as (keyof C & string)[];
  const text = (value: unknown): string => (typeof value === 'boolean' ? yesNo(value) : String(value));
  const rows = backends.map(([scheme, has]) => [`\`${scheme}\``, ...names.map((name) => text(has[name]))]);
  return table(['URL', ...names.map((name) => columns[name])], rows);
}

const [KV_MATRIX, QUEUE_MATRIX] = await Promise.all([kvMatrix(), queueMatrix()]);

const matrixTable = ({ drivers, rows }: Matrix): string =>
  table(
    ['case', ...drivers.map((driver) => `\`${driver}:\``)],
    rows.map(({ title, verdicts }) => [title, ...verdicts]),
  );

const EXAMPLE_PLAN = 'iris-001';
const EXAMPLE_KEY = 'größte Zahl';

const scratchPage = (): string => `# KV and queues: what each backend can do

KV and queues are the scratch of a plan: swappable by URL, never in the World. Their contracts are in
[kv.ts](../shared/scratch/kv/kv.ts) and [queue.ts](../shared/scratch/queue/queue.ts). What a backend lacks is refused with
\`ERR_UNIMPLEMENTED\`, and a step that needs it at admission with \`ERR_CAPABILITY\`. How to add one is told in
[adding a backend](adding-a-backend.md). ${GENERATED}

## KV

${capabilityTable(KV_COLUMNS, KV_DECLARED)}

\`durable\`: what was acknowledged is there after a kill of the backend. Keys are any Unicode text of up to 512 bytes, everywhere.

On \`nats:\` the keys of all plans are one bucket of NATS KV, \`${KV_BUCKET}\`, which any of its clients reads, writes and watches
([ADR 53](adr/0053-kv-is-a-bucket-of-nats-kv.md)): \`nats kv get ${KV_BUCKET} ${EXAMPLE_PLAN}.jobs.done\`
(with a service's user: on the embedded stack the \`serviceUrl\` in \`.isomorph/stack.json\`). The key \`jobs.done\` of the plan
\`${EXAMPLE_PLAN}\` is \`${kvKey(EXAMPLE_PLAN, 'jobs.done')}\` there. What NATS KV takes as a key stands as it is: ASCII letters, digits and
\`- _ / =\`, with single dots inside. Anything else, and what begins with \`=\`, is \`=\` and the base64url of its UTF-8:
\`${EXAMPLE_KEY}\` is \`${kvKey(EXAMPLE_PLAN, EXAMPLE_KEY)}\`. So no two keys are one, and whoever sees a key there knows ours: without \`=\` at its
beginning it is itself, otherwise the rest decoded. A counter is decimal text; another client counts by \`update\` on the revision it read. A time to live
is \`Nats-TTL\`, from either side. A key that was deleted or purged with its plan shows as \`DEL\` and then, as one that expired, as \`PURGE\`, for a while.

## Queues

${capabilityTable(QUEUE_COLUMNS, QUEUE_DECLARED)}

Delivery is at least once and without strict order, everywhere; a receipt that has expired is refused. Without exact \`stats\`
a message that is put off counts as ready or in flight, and the numbers follow a little later. A used receipt is refused by the
process that used it, everywhere; where not by every other one, those can use it until its message is delivered again.

On \`nats:\` a topic is in one of 16 streams, by a hash of plan and topic, and holds at most what that stream may: a sixteenth of \`ISOMORPH_MAX_QUEUES_BYTES\` (16 MiB), less
where the disk is small, shared with the other topics there. The limit of a plan (\`ISOMORPH_MAX_QUEUE_BYTES_A_PLAN\`, 8 MiB) is half of that; whoever raises it for one topic raises both.

## What the suites show

\`npm run matrix\` runs every case on every backend that this machine can serve and prints this, or fails. \`refused\`: with
\`ERR_UNIMPLEMENTED\`. \`declared\`: not offered, as the tables above say. \`outage\`: held over an outage; nothing in the tests can kill
that backend as its operator might. SQS is tested on fauxqs, and on moto, which forgets ids of deleted messages and is held to what
\`dedupe=none\` in the URL declares; never yet on AWS. Modal is tested on a control plane of our own. Redis clusters, and Modal with lost answers, are as their columns.

${matrixTable(KV_MATRIX)}

${matrixTable(QUEUE_MATRIX)}
`;

export const PAGES: Readonly<Record<string, () => string>> = {
  'docs/errors.md': errorsPage,
  'docs/configuration.md': configurationPage,
  'docs/events.md': () => eventsPage(GENERATED),
  'docs/scratch.md': scratchPage,
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [page, render] of Object.entries(PAGES)) {
    await writeFile(fileURLToPath(new URL(`../${page}`, import.meta.url)), render());
  }
}
