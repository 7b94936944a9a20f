import type { EventData } from '../../shared/ledger/events.ts';
import { type ColumnType, PLAN_COLUMNS } from '../../shared/projection/columns.ts';
import type { Row, Rows } from '../../shared/projection/tables.ts';
import { plural } from '../../shared/text/plural.ts';
import { faultLines } from './error.ts';
import { type Cell, table } from './table.ts';
import { bytes, duration, fit, moment, money, plain, shortCid } from './text.ts';
import { GLYPH, type Theme } from './theme.ts';

/** A plan as it is shown: the rows of its projection, and what has no row. */
export interface PlanView {
  readonly rows: Rows;
  readonly predicates: readonly EventData<'predicate.checked'>[];
  readonly events: number;
  readonly verified: boolean;
}

export function statusCell(status: string | null, theme: Theme): Cell {
  const text = status ?? '';
  switch (text) {
    case 'succeeded':
      return { text, paint: theme.good };
    case 'failed':
    case 'quarantined':
    case 'rejected':
    case 'lost':
      return { text, paint: theme.bad };
    case 'running':
    case 'scheduled':
    case 'ready':
      return { text, paint: theme.accent };
    case 'cancelled':
    case 'cancelling':
    case 'newer':
      return { text, paint: theme.warn };
    default:
      return { text, paint: theme.dim };
  }
}

const spent = (rows: readonly Row<'executions'>[]): number =>
  rows.reduce((sum, { actual_usd_micro: cost }) => sum + (cost ?? 0), 0);

function tookText({ submitted_at: from, settled_at: to }: Row<'plans'>): string {
  if (from === null) return '';
  const at = `submitted ${moment(from)}`;
  return to === null ? at : `${at}, took ${duration(Date.parse(to) - Date.parse(from))}`;
}

function standingText(row: Row<'standings'> | undefined): string {
  if (row === undefined) return '';
  const what = row.standing === 'newer' ? 'intact, newer than this version' : 'quarantined, no event any more';
  return `${what} from seq ${row.seq} on: ${plain(row.reason ?? '')}`;
}

/** Columns whose list says that they are shown. */
const columnFacts = (plan: Row<'plans'>): [string, string][] =>
  Object.entries<{ readonly type: ColumnType; readonly shownAs?: string }>(PLAN_COLUMNS).flatMap(
    ([name, { type, shownAs }]) => {
      const value = plan[name as keyof typeof PLAN_COLUMNS];
      if (shownAs === undefined || value === null) return [];
      const text =
        type === 'timestamptz' ? moment(String(value)) : type === 'jsonb' ? JSON.stringify(value) : String(value);
      return [[shownAs, plain(text)]];
    },
  );

function headerLines({ rows, events, verified }: PlanView, theme: Theme): string[] {
  const [plan] = rows.plans;
  const [budget] = rows.budgets;
  if (plan === undefined) return [];
  const { text, paint = theme.dim } = statusCell(plan.status, theme);
  const held = (budget?.held_usd_micro ?? 0) === 0 ? '' : `, ${money(budget?.held_usd_micro ?? 0)} held`;
  const facts: [string, string][] = [
    ['time', tookText(plan)],
    ...columnFacts(plan),
    [
      'budget',
      budget === undefined
        ? ''
        : `${money(budget.spent_usd_micro ?? 0)} of ${money(budget.limit_usd_micro ?? 0)} spent${held}`,
    ],
    [
      'ledger',
      `${plural(events, 'event')}, ${verified ? 'chain verified' : 'NOT VERIFIED: see `npx isomorph ledger verify`'}`,
    ],
    ['head', plan.head_hash ?? ''],
    ['standing', standingText(rows.standings[0])],
  ];
  const title = plan.title === null || plan.title === plan.plan_id ? '' : `  ${plain(plan.title)}`;
  return [
    `${theme.bold(plan.plan_id ?? '')}  ${paint(text)}${title}`,
    ...facts.filter(([, value]) => value !== '').map(([name, value]) => `  ${theme.dim(name.padEnd(7))} ${value}`),
  ];
}

/** Without its admitted document a plan shows the steps that the ledger names. */
function stepRows({ rows }: PlanView): { stepId: string; status: string; processor: string }[] {
  if (rows.steps.length > 0) {
    return rows.steps.map((step) => ({
      stepId: step.step_id ?? '',
      status: step.status ?? '',
      processor: step.processor ?? '',
    }));
  }
  const last = new Map(rows.executions.map((execution) => [execution.step_id ?? '', execution]));
  return [...last].map(([stepId, { status, processor }]) => ({
    stepId,
    status: status ?? '',
    processor: processor ?? '',
  }));
}

function stepLines(view: PlanView, theme: Theme): string[] {
  const columns = [
    { title: 'step' },
    { title: 'status' },
    { title: 'attempts', align: 'right' },
    { title: 'time', align: 'right' },
    { title: 'cost', align: 'right' },
    { title: 'processor' },
  ] as const;
  const rows = stepRows(view).map(({ stepId, status, processor }) => {
    const executions = view.rows.executions.filter(({ step_id: id }) => id === stepId);
    const ms = executions.reduce((sum, { duration_ms: one }) => sum + (one ?? 0), 0);
    return [
      fit(stepId, 28),
      statusCell(status, theme),
      executions.length === 0 ? '' : String(executions.length),
      executions.length === 0 ? '' : duration(ms),
      executions.length === 0 ? '' : money(spent(executions)),
      { text: fit(processor, 30), paint: theme.dim },
    ];
  });
  return rows.length === 0 ? [] : ['', theme.bold('Steps'), ...table(columns, rows, theme)];
}

const isOutput = ({ path }: Row<'artifacts'>): boolean => !(path ?? '').startsWith('/artifacts/executions/');

function artifactLines({ rows }: PlanView, theme: Theme): string[] {
  const outputs = rows.artifacts.filter(isOutput);
  if (outputs.length === 0) return [];
  const columns = [{ title: 'output' }, { title: 'size', align: 'right' }, { title: 'CID' }] as const;
  const cells = outputs.map(({ path, size_bytes: size, cid }) => [
    path ?? '',
    bytes(size ?? 0),
    { text: shortCid(cid ?? ''), paint: theme.dim },
  ]);
  return ['', theme.bold('Outputs'), ...table(columns, cells, theme)];
}

/** Receipts of a plan; all lie below one folder, which is said once. */
export function receiptLines(receipts: readonly Row<'receipts'>[], theme: Theme): string[] {
  const [first] = receipts;
  if (first === undefined) return [];
  const folder = `/artifacts/executions/${first.plan_id}/`;
  const columns = [{ title: 'execution' }, { title: 'CID' }, { title: 'memo key' }] as const;
  const cells = receipts.map(({ execution_id: executionId, cid, memo_key: memoKey }) => [
    executionId ?? '',
    { text: shortCid(cid ?? ''), paint: theme.dim },
    { text: shortCid(memoKey ?? ''), paint: theme.dim },
  ]);
  const places = theme.dim(`  in ${folder}<execution>/`);
  return ['', theme.bold('Receipts'), ...table(columns, cells, theme), places];
}

/** Whole hashes say nothing to a person. */
const withShortCids = (text: string): string => text.replace(/blake3:[0-9a-f]{64}/g, shortCid);

function predicateLines({ predicates }: PlanView, theme: Theme): string[] {
  if (predicates.length === 0) return [];
  const names = Math.max(...predicates.map(({ predicate }) => predicate.length));
  const places = Math.max(...predicates.map(({ pointer }) => pointer.length));
  const left = Math.max(10, theme.columns - (4 + names + 2 + places + 2));
  const lines = predicates.map(({ ok, predicate, pointer, found }) => {
    const glyph = ok ? theme.good(GLYPH.good) : theme.bad(GLYPH.bad);
    const what = fit(withShortCids(plain(found)), left);
    return `  ${glyph} ${predicate.padEnd(names)}  ${theme.dim(`${pointer.padEnd(places)}  ${what}`.trimEnd())}`;
  });
  return ['', theme.bold('Predicates'), ...lines];
}

function failureLines({ rows }: PlanView, theme: Theme): string[] {
  const failed = rows.executions.filter(({ status }) => status === 'failed' || status === 'lost');
  const faults = (rows.plans[0]?.faults ?? []) as Parameters<typeof faultLines>[0][];
  const attempts = failed.map(({ execution_id: id, code, message }) =>
    fit(`  ${id}: ${code} ${plain(message ?? '')}`, theme.columns),
  );
  return [
    ...(attempts.length === 0 ? [] : ['', theme.bold('Attempts that failed'), ...attempts]),
    ...(faults.length === 0
      ? []
      : [
          '',
          theme.bold('Faults'),
          ...faults.flatMap((one) => faultLines(one, theme, theme.columns - 2)).map((line) => `  ${line}`),
        ]),
  ];
}

/** Everything about one plan. Pure. */
export const planLines = (view: PlanView, theme: Theme): string[] => [
  ...headerLines(view, theme),
  ...stepLines(view, theme),
  ...failureLines(view, theme),
  ...artifactLines(view, theme),
  ...predicateLines(view, theme),
  ...receiptLines(view.rows.receipts, theme),
];

/** One plan of a list. */
export interface ListedPlan {
  readonly plan_id: string;
  readonly status: string;
  readonly title: string | null;
  readonly steps: number | null;
  readonly submitted_at: string | null;
  readonly settled_at: string | null;
  readonly spent_usd_micro: number | null;
}

export function planListLines(plans: readonly ListedPlan[], theme: Theme): string[] {
  if (plans.length === 0) return ['no plans yet: submit one with `npx isomorph submit examples/penguins/plan.yaml`'];
  const columns = [
    { title: 'plan' },
    { title: 'status' },
    { title: 'submitted' },
    { title: 'took', align: 'right' },
    { title: 'spent', align: 'right' },
    { title: 'steps', align: 'right' },
  ] as const;
  const cells = plans.map((plan) => {
    const { submitted_at: from, settled_at: to } = plan;
    return [
      fit(plan.plan_id, 36),
      statusCell(plan.status, theme),
      { text: from === null ? '' : moment(from).replace(' UTC', 'Z'), paint: theme.dim },
      from === null || to === null ? '' : duration(Date.parse(to) - Date.parse(from)),
      plan.spent_usd_micro === null ? '' : money(plan.spent_usd_micro),
      plan.steps === null ? '' : String(plan.steps),
    ];
  });
  return table(columns, cells, theme);
}
