import { setInterval } from 'node:timers';
import type { RawEvent } from '../shared/ledger/envelope.ts';
import type { LedgerEvent } from '../shared/ledger/events.ts';
import { scrubCredentials } from '../shared/text/scrub-credentials.ts';
import type { FollowItem } from './follow.ts';
import type { Output } from './output.ts';
import { faultLines } from './render/error.ts';
import { liveLines, progressed, type RunningSteps, runningAfter } from './render/live.ts';
import { elapsed, fit, plain } from './render/text.ts';
import { GLYPH } from './render/theme.ts';
import { rawLine, type TimelineOptions, timelineLines } from './render/timeline.ts';

/** Shows what happens, as it happens. */
export interface View {
  item(item: FollowItem): void;
  /** Takes away what was drawn to be drawn again. */
  close(): void;
}

export interface ViewOptions {
  /** Step ids, when they are known: they set the width of their column. */
  readonly steps?: readonly string[];
  /** Many plans at once: their ids are shown. */
  readonly manyPlans?: boolean;
  /** Every event as the ledger has it. */
  readonly all?: boolean;
}

const MIN_STEP_WIDTH = 8;
const MAX_STEP_WIDTH = 24;
const PLAN_WIDTH = 20;
const FRAME_MS = 80;

class JsonView implements View {
  readonly #out: Output;
  constructor(out: Output) {
    this.#out = out;
  }

  item(item: FollowItem): void {
    switch (item.kind) {
      case 'commit':
        for (const event of item.events) this.#out.document({ type: 'event', event });
        for (const event of item.unknown) this.#out.document({ type: 'unknown', event });
        break;
      case 'foreign':
        this.#out.document({ type: 'foreign', seq: item.seq, reason: item.reason });
        break;
      case 'progress':
        this.#out.document({ type: 'progress', plan_id: item.planId, ...item.progress });
        break;
      case 'refused':
        this.#out.document({ type: 'refused', fault: item.fault });
        break;
    }
  }

  close(): void {
    // Nothing is drawn.
  }
}

class TextView implements View {
  readonly #out: Output;
  readonly #options: ViewOptions;
  readonly #stepWidth: number;
  /** Start of each timeline: the time of the first event seen. */
  readonly #starts = new Map<string, number>();

  constructor(out: Output, options: ViewOptions) {
    this.#out = out;
    this.#options = options;
    const longest = Math.max(MIN_STEP_WIDTH, ...(options.steps ?? []).map((step) => step.length));
    this.#stepWidth = Math.min(MAX_STEP_WIDTH, longest);
  }

  get stepWidth(): number {
    return this.#stepWidth;
  }

  item(item: FollowItem): void {
    const { theme } = this.#out;
    switch (item.kind) {
      case 'commit':
        this.print(this.#commit(item.events));
        this.print(item.unknown.map((raw) => this.#unknown(raw)));
        break;
      case 'foreign':
        this.print([
          `${' '.repeat(9)}  ${theme.warn(GLYPH.warn)} message ${item.seq} is none of a chain: ${fit(plain(item.reason), 200)}`,
        ]);
        break;
      case 'progress':
        this.progress(item);
        break;
      case 'refused':
        this.print(['refused:', ...faultLines(item.fault, theme, theme.columns - 2)].map((line) => `  ${line}`));
        break;
    }
  }

  close(): void {
    // Lines stay.
  }

  protected print(lines: readonly string[]): void {
    this.#out.lines(...lines);
  }

  /** Plain lines: a report stands where it came. */
  protected progress({ planId, progress }: Extract<FollowItem, { kind: 'progress' }>): void {
    const { theme } = this.#out;
    const start = this.#starts.get(planId);
    const { step_id: step, fraction, message = '' } = progress;
    const percent = fraction === undefined ? '' : `${Math.round(fraction * 100)} % `;
    const at = start === undefined ? ' '.repeat(9) : elapsed(Date.now() - start);
    const plan = this.#options.manyPlans === true ? `${fit(planId, PLAN_WIDTH).padEnd(PLAN_WIDTH)}  ` : '';
    this.print([theme.dim(`${at}  ${plan}${GLYPH.note} ${step.padEnd(this.#stepWidth)}  ${percent}${plain(message)}`)]);
  }

  #unknown({ plan_id: planId, seq, kind, v }: RawEvent): string {
    const { theme } = this.#out;
    const what = `seq ${seq} of ${planId}, ${plain(kind)} of version ${v}, is not known to this version, or not legal there`;
    return `${' '.repeat(9)}  ${theme.warn(GLYPH.warn)} ${what}`;
  }

  #commit(events: readonly LedgerEvent[]): string[] {
    const [first] = events;
    if (first === undefined) return [];
    const startMs = this.#starts.get(first.plan_id) ?? Date.parse(first.ts);
    this.#starts.set(first.plan_id, startMs);
    const options: TimelineOptions = {
      theme: this.#out.theme,
      startMs,
      stepWidth: this.#stepWidth,
      ...(this.#options.manyPlans === true ? { planWidth: PLAN_WIDTH } : {}),
    };
    if (this.#options.all === true) return events.map((event) => rawLine(event, options));
    return timelineLines(events, options);
  }
}

const CLEAR_LINE = '\u001b[2K';
const UP = '\u001b[1A';

/** On a terminal the steps that run stand at the foot and are drawn again; what has happened stays above them. */
class TerminalView extends TextView {
  readonly #output: Output;
  readonly #timer: NodeJS.Timeout;
  #running: RunningSteps = new Map();
  #drawn = 0;
  #frame = 0;

  constructor(out: Output, options: ViewOptions) {
    super(out, options);
    this.#output = out;
    this.#timer = setInterval(() => this.#tick(), FRAME_MS);
    this.#timer.unref();
  }

  override item(item: FollowItem): void {
    if (item.kind === 'commit') {
      for (const event of item.events) this.#running = runningAfter(this.#running, event, Date.now());
    }
    super.item(item);
  }

  override close(): void {
    clearInterval(this.#timer);
    this.#output.terminal.stdout.write(this.#erase());
  }

  protected override print(lines: readonly string[]): void {
    this.#draw(lines);
  }

  protected override progress({ progress }: Extract<FollowItem, { kind: 'progress' }>): void {
    this.#running = progressed(this.#running, progress);
  }

  #tick(): void {
    this.#frame += 1;
    if (this.#running.size > 0 || this.#drawn > 0) this.#draw([]);
  }

  /** One write, so that no terminal shows half of it. */
  #draw(lines: readonly string[]): void {
    const { theme, terminal } = this.#output;
    const foot = liveLines(this.#running, {
      nowMs: Date.now(),
      frame: this.#frame,
      stepWidth: this.stepWidth,
      theme,
    });
    const text = [...lines, ...foot].map((line) => `${scrubCredentials(line)}\n`).join('');
    terminal.stdout.write(this.#erase() + text);
    this.#drawn = foot.length;
  }

  #erase(): string {
    const drawn = this.#drawn;
    this.#drawn = 0;
    return `${UP}${CLEAR_LINE}`.repeat(drawn);
  }
}

export function openView(out: Output, options: ViewOptions = {}): View {
  if (out.json) return new JsonView(out);
  if (out.terminal.isTty && options.manyPlans !== true && options.all !== true) return new TerminalView(out, options);
  return new TextView(out, options);
}
