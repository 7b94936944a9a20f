import { unreachable } from '../../shared/errors/isomorph-error.ts';
import type { EventOf, LedgerEvent } from '../../shared/ledger/events.ts';
import { plural } from '../../shared/text/plural.ts';
import { faultLines } from './error.ts';
import { bytes, duration, elapsed, fit, money, plain, plainLines, shortCid, wrap } from './text.ts';
import { GLYPH, type Theme } from './theme.ts';

export interface TimelineOptions {
  readonly theme: Theme;
  /** When the timeline starts, Unix time in milliseconds. */
  readonly startMs: number;
  /** Width of the column of steps. */
  readonly stepWidth: number;
  /** Width of a column of plans in front, with the time of day (UTC); undefined when all events are of one plan. */
  readonly planWidth?: number;
}

type Mood = 'good' | 'bad' | 'warn' | 'dim' | 'accent';

/** One thing that happened. `detail` lines stand below it. */
interface Entry {
  readonly glyph: string;
  readonly mood: Mood;
  /** A step, or `plan`. */
  readonly who: string;
  readonly what: string;
  readonly detail?: readonly string[];
}

/** `plan.step.attempt`: none of the three holds a dot. */
function attemptOf(executionId: string): { step: string; attempt: number } {
  const [, step = executionId, attempt = '1'] = executionId.split('.');
  return { step, attempt: Number(attempt) };
}

const TIME_WIDTH = 9;
const MIN_TEXT_WIDTH = 30;

/** Columns in front of what happened: time, plan, glyph, step. */
const indentOf = ({ stepWidth, planWidth }: TimelineOptions): number =>
  TIME_WIDTH + 2 + (planWidth === undefined ? 0 : planWidth + 2) + 2 + stepWidth + 2;

const textWidth = (options: TimelineOptions): number =>
  Math.max(MIN_TEXT_WIDTH, options.theme.columns - indentOf(options));

const LOG_LINES = 3;
const NAMED_OUTPUTS = 3;

type Written = EventOf<'artifact.written'>['data'];

/** Logs and receipts lie under /artifacts/executions/; what a person asked for does not. */
const isOutput = ({ path }: Written): boolean => !path.startsWith('/artifacts/executions/');

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

function outputsText(outputs: readonly Written[]): string {
  if (outputs.length === 0) return '';
  const size = bytes(outputs.reduce((sum, output) => sum + output.size, 0));
  if (outputs.length > NAMED_OUTPUTS) return `: ${plural(outputs.length, 'output')}, ${size}`;
  return `: ${outputs.map(({ path }) => nameOf(path)).join(', ')} (${size})`;
}

function failedEntry({ data }: EventOf<'execution.failed'>, options: TimelineOptions): Entry {
  const { step, attempt } = attemptOf(data.execution_id);
  const log = plainLines(data.log_tail ?? '').slice(-LOG_LINES);
  return {
    glyph: GLYPH.bad,
    mood: 'bad',
    who: step,
    what: `attempt ${attempt} failed: ${data.code} ${plain(data.message)}`,
    detail: log.map((line) => options.theme.dim(fit(`log: ${line}`, textWidth(options)))),
  };
}

function scheduledEntry({ data, ts }: EventOf<'execution.scheduled'>): Entry | undefined {
  if (data.attempt === 1) return undefined;
  const waitMs = Date.parse(data.not_before) - Date.parse(ts);
  const when = waitMs > 0 ? `in ${duration(waitMs)}` : 'now';
  return {
    glyph: GLYPH.retry,
    mood: 'warn',
    who: data.step_id,
    what: `is tried again ${when}: attempt ${data.attempt}`,
  };
}

function settledEntry({ data, ts }: EventOf<'plan.settled'>, options: TimelineOptions): Entry {
  const width = textWidth(options);
  const good = data.status === 'succeeded';
  const took = duration(Date.parse(ts) - options.startMs);
  return {
    glyph: good ? GLYPH.good : GLYPH.bad,
    mood: good ? 'good' : data.status === 'cancelled' ? 'warn' : 'bad',
    who: 'plan',
    what: `${data.status} after ${took}, ${money(data.spent_usd_micro)} spent`,
    detail: data.faults.flatMap((one) => faultLines(one, options.theme, width)),
  };
}

function rejectedEntry({ data }: EventOf<'plan.rejected'>, options: TimelineOptions): Entry {
  const { theme } = options;
  const more = data.fault_count - data.faults.length;
  return {
    glyph: GLYPH.bad,
    mood: 'bad',
    who: 'plan',
    what: `rejected for ${plural(data.fault_count, 'fault')}`,
    detail: [
      ...data.faults.flatMap((one) => faultLines(one, theme, textWidth(options))),
      ...(more > 0 ? [theme.dim(`and ${more} more`)] : []),
    ],
  };
}

const note = (who: string, what: string): Entry => ({ glyph: GLYPH.note, mood: 'dim', who, what });

function scratchEntry(event: EventOf<`scratch.${string}` & LedgerEvent['kind']> | EventOf<'streams.sampled'>): Entry {
  switch (event.kind) {
    case 'scratch.queue.published':
      return note('queue', `${plain(event.data.topic)}: ${bytes(event.data.bytes)} published`);
    case 'scratch.queue.retry':
      return note('queue', `${plain(event.data.topic)}: delivered again (${event.data.deliveries})`);
    case 'scratch.queue.deadletter':
      return note('queue', `${plain(event.data.topic)}: given up, ${plain(event.data.reason)}`);
    case 'scratch.kv.changed':
      return note('kv', `${event.data.op} ${plain(event.data.key)}`);
    case 'scratch.sampled':
      return note('scratch', `sampled to ${event.data.path}`);
    case 'streams.sampled':
      return note(
        'stream',
        `${plain(event.data.series)}: ${plural(event.data.chunk_count, 'chunk')} to ${event.data.watermark}`,
      );
    default:
      return unreachable(event);
  }
}

/** What one event says to a person; undefined for what only an auditor asks for (`--all` shows it). */
function entryOf(event: LedgerEvent, outputs: readonly Written[], options: TimelineOptions): Entry | undefined {
  switch (event.kind) {
    case 'plan.submitted':
      return note('plan', `submitted: ${bytes(event.data.bytes)}, ${shortCid(event.data.plan_cid)}`);
    case 'plan.admitted': {
      const { steps, policy, budget_limit_usd_micro: limit } = event.data;
      const what = `admitted: ${plural(steps, 'step')}, policy ${policy}, budget ${money(limit)}`;
      return { glyph: GLYPH.good, mood: 'good', who: 'plan', what };
    }
    case 'plan.rejected':
      return rejectedEntry(event, options);
    case 'plan.cancel_requested': {
      const what = event.data.reason === 'client' ? 'cancelled by a client' : 'its deadline passed';
      return { glyph: GLYPH.warn, mood: 'warn', who: 'plan', what };
    }
    case 'plan.settled':
      return settledEntry(event, options);
    case 'lease.declared':
      return note(event.data.step_id, `lease to ${event.data.mode} ${plain(event.data.selector)}`);
    case 'execution.scheduled':
      return scheduledEntry(event);
    case 'execution.started': {
      const { step, attempt } = attemptOf(event.data.execution_id);
      const what = attempt === 1 ? 'started' : `started, attempt ${attempt}`;
      return { glyph: GLYPH.start, mood: 'accent', who: step, what };
    }
    case 'execution.succeeded': {
      const { step } = attemptOf(event.data.execution_id);
      const what = `succeeded in ${duration(event.data.duration_ms)}${outputsText(outputs)}`;
      return { glyph: GLYPH.good, mood: 'good', who: step, what };
    }
    case 'execution.failed':
      return failedEntry(event, options);
    case 'execution.lost': {
      const { step, attempt } = attemptOf(event.data.execution_id);
      return {
        glyph: GLYPH.warn,
        mood: 'warn',
        who: step,
        what: `attempt ${attempt} was lost: ${plain(event.data.reason)}`,
      };
    }
    case 'artifact.written':
      return event.data.execution_id === undefined ? note('artifact', event.data.path) : undefined;
    case 'predicate.checked': {
      if (event.data.ok) return undefined;
      const what = `${event.data.predicate} does not hold: ${plain(event.data.found)}`;
      return { glyph: GLYPH.bad, mood: 'bad', who: 'check', what };
    }
    case 'budget.reserved':
    case 'budget.settled':
    case 'execution.settled':
      return undefined;
    case 'scratch.queue.published':
    case 'scratch.queue.retry':
    case 'scratch.queue.deadletter':
    case 'scratch.kv.changed':
    case 'scratch.sampled':
    case 'streams.sampled':
      return scratchEntry(event);
    default:
      return unreachable(event);
  }
}

/** Timelines of many plans share one clock. */
const timeOf = ({ ts }: LedgerEvent, { startMs, planWidth }: TimelineOptions): string =>
  planWidth === undefined ? elapsed(Date.parse(ts) - startMs) : ts.slice(11, 19).padStart(TIME_WIDTH);

function entryLines(entry: Entry, event: LedgerEvent, options: TimelineOptions): string[] {
  const { theme, stepWidth, planWidth } = options;
  const at = timeOf(event, options);
  const plan = planWidth === undefined ? '' : `${fit(event.plan_id, planWidth).padEnd(planWidth)}  `;
  const who = fit(entry.who, stepWidth).padEnd(stepWidth);
  const [first = '', ...rest] = wrap(entry.what, textWidth(options));
  const paint = theme[entry.mood];
  const bright = entry.mood === 'dim' ? theme.dim : (text: string) => text;
  return [
    `${theme.dim(at)}  ${theme.dim(plan)}${paint(entry.glyph)} ${bright(who)}  ${bright(first)}`,
    ...[...rest.map(bright), ...(entry.detail ?? [])].map((line) => `${' '.repeat(indentOf(options))}${line}`),
  ];
}

/** Predicates that hold say so together; each that does not speaks for itself. */
function predicatesEntry(events: readonly LedgerEvent[]): { entry: Entry; event: LedgerEvent } | undefined {
  const held = events.filter((event) => event.kind === 'predicate.checked' && event.data.ok);
  const event = held.at(-1);
  if (event === undefined) return undefined;
  const what = held.length === 1 ? '1 predicate holds' : `${held.length} predicates hold`;
  return { entry: { glyph: GLYPH.good, mood: 'good', who: 'check', what }, event };
}

/** One commit as lines of a timeline. Pure. */
export function timelineLines(events: readonly LedgerEvent[], options: TimelineOptions): string[] {
  const written = events.flatMap((event) =>
    event.kind === 'artifact.written' && isOutput(event.data) ? [event.data] : [],
  );
  const predicates = predicatesEntry(events);
  return events.flatMap((event) => {
    if (event === predicates?.event) return entryLines(predicates.entry, event, options);
    const own =
      event.kind === 'execution.succeeded'
        ? written.filter(({ execution_id: id }) => id === event.data.execution_id)
        : [];
    const entry = entryOf(event, own, options);
    return entry === undefined ? [] : entryLines(entry, event, options);
  });
}

/** Every event on a line of its own, as the ledger has it: for `watch --all`. */
export function rawLine(event: LedgerEvent, options: TimelineOptions): string {
  const { theme, planWidth } = options;
  const plan = planWidth === undefined ? '' : `${fit(event.plan_id, planWidth).padEnd(planWidth)}  `;
  const head = `${timeOf(event, options)}  ${plan}${String(event.seq).padStart(5)}  `;
  const kind = event.kind.padEnd(22);
  const about = 'path' in event.data ? event.data.path : 'execution_id' in event.data ? event.data.execution_id : '';
  const left = Math.max(10, theme.columns - head.length - kind.length - 1);
  return `${theme.dim(head)}${kind} ${theme.dim(fit(plain(String(about ?? '')), left))}`.trimEnd();
}
