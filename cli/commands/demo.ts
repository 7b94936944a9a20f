import { createReadStream } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { plural } from '../../shared/text/plural.ts';
import type { EmbeddedStack } from '../../stack/embedded.ts';
import { commanderOf } from '../commander.ts';
import { Context } from '../context.ts';
import { type LoadedPlan, loadPlan } from '../load-plan.ts';
import { homeOf, PROJECT, placeOfStack, runningStack, shownPath } from '../place.ts';
import { type PlanDocument, readPlan } from '../plan-file.ts';
import { type PlanView, receiptLines } from '../render/plan.ts';
import { table } from '../render/table.ts';
import { bytes, duration, money } from '../render/text.ts';
import { GLYPH } from '../render/theme.ts';
import { findingLines } from '../render/verdict.ts';
import { contentTypeOf } from './artifact.ts';
import { startStack, untilInterrupted, usageLines } from './dev.ts';
import { viewDocument, viewOf } from './show.ts';
import { exitCodeOf, showRefusal, submitAndFollow } from './submit.ts';

export interface DemoOptions {
  /** The stack stays up after the plan, until Ctrl-C. */
  readonly keep?: boolean;
  readonly adapter?: string;
}

const EXAMPLE = path.join(PROJECT, 'examples', 'penguins');
const INPUT = '/artifacts/inputs/penguins.csv';

/** Each run is a plan of its own, and later ones sort behind earlier ones. */
const freshPlanId = (nowMs: number): string => `penguins-${nowMs.toString(36)}`;

async function putInput(context: Context): Promise<void> {
  const { out } = context;
  const file = path.join(EXAMPLE, 'penguins.csv');
  const store = await context.store();
  const result = await store.put({ worldPath: INPUT, body: createReadStream(file), contentType: contentTypeOf(file) });
  const how = result.created ? '' : ', there already';
  out.lines(
    `${out.theme.good(GLYPH.good)} input ${INPUT} ${out.theme.dim(`(${bytes(result.size)} of penguins${how})`)}`,
  );
  out.document({ type: 'input', path: INPUT, cid: result.cid, size: result.size, created: result.created });
}

/** Where an artifact lies on this disk, when the store is a folder. */
function fileOf(context: Context, worldPath: string): string {
  const url = context.place.artifacts?.url ?? '';
  if (!url.startsWith('file:')) return worldPath;
  return shownPath(path.join(fileURLToPath(url), worldPath.slice(1)), context.terminal.cwd);
}

/** Pages first: a person wants to open one. */
const byReadability = (a: string, b: string): number => Number(b.endsWith('.html')) - Number(a.endsWith('.html'));

function outputLines(context: Context, { rows }: PlanView, outputPrefix: string): string[] {
  const { theme } = context.out;
  const outputs = rows.artifacts
    .filter(({ path: worldPath }) => (worldPath ?? '').startsWith(outputPrefix))
    .sort((a, b) => byReadability(a.path ?? '', b.path ?? ''));
  const [first] = outputs;
  if (first === undefined) return [];
  const cells = outputs.map(({ path: worldPath, size_bytes: size, content_type: type }) => [
    (worldPath ?? '').slice(outputPrefix.length),
    bytes(size ?? 0),
    { text: (type ?? '').replace(/;.*$/, ''), paint: theme.dim },
  ]);
  const columns = [{ title: `below ${outputPrefix}` }, { title: 'size', align: 'right' }, { title: 'type' }] as const;
  return [
    '',
    theme.bold('Outputs'),
    ...table(columns, cells, theme),
    `  open ${theme.accent(fileOf(context, first.path ?? ''))}`,
  ];
}

function ledgerLines({ out: { theme } }: Context, { verdict, state }: LoadedPlan): string[] {
  const { findings, events } = verdict;
  if (findings.length > 0) {
    return ['', theme.bold('Ledger'), ...findings.flatMap((finding) => findingLines(finding, theme))];
  }
  return [
    '',
    theme.bold('Ledger'),
    `  ${theme.good(GLYPH.good)} ${plural(events, 'event')}: every hash, link and transition checked`,
    theme.dim(`    head ${state.head.hash}`),
  ];
}

function budgetLines({ out: { theme } }: Context, { state: { budget } }: LoadedPlan): string[] {
  const held = budget.held === 0 ? 'nothing is held' : `${money(budget.held)} is held`;
  return ['', theme.bold('Budget'), `  ${money(budget.spent)} of ${money(budget.limit)} spent, ${held}`];
}

function nextLines({ out: { theme } }: Context, planId: string, stays: boolean): string[] {
  const commands: [string, string][] = [
    ...(stays ? [] : ([['npm run dev', 'stays up; in another terminal:']] as [string, string][])),
    [`npx isomorph show ${planId}`, 'everything about this plan'],
    [`npx isomorph ledger export ${planId}`, 'its ledger, for `jq` and `b3sum`'],
  ];
  const width = Math.max(...commands.map(([command]) => command.length));
  const lines = commands.map(([command, why]) => `  ${theme.accent(command.padEnd(width))}  ${theme.dim(why)}`);
  return ['', theme.bold('Next'), ...lines];
}

async function summarize(context: Context, planId: string, stays: boolean): Promise<boolean> {
  const { out } = context;
  const loaded = await loadPlan(context, planId);
  const view = await viewOf(context, loaded);
  out.lines(
    ...receiptLines(view.rows.receipts, out.theme),
    ...ledgerLines(context, loaded),
    ...budgetLines(context, loaded),
    ...outputLines(context, view, `/artifacts/outputs/${planId}/`),
    ...nextLines(context, planId, stays),
  );
  const outputs = view.rows.artifacts.map(({ path: worldPath }) => fileOf(context, worldPath ?? ''));
  out.document({ type: 'summary', plan: viewDocument(view, loaded), files: outputs });
  return view.verified;
}

async function runPlan(context: Context, plan: PlanDocument, stays: boolean, signal: AbortSignal): Promise<number> {
  const { out } = context;
  await putInput(context);
  out.lines('', out.theme.bold(`Plan ${plan.plan_id}`));
  const end = await submitAndFollow(context, await commanderOf(context, undefined), plan, signal);
  if (end.status === 'refused') showRefusal(context, end.fault);
  if (end.status === 'refused' || end.status === 'unwatched') return exitCodeOf(end);
  const verified = await summarize(context, plan.plan_id, stays);
  return verified ? exitCodeOf(end) : 1;
}

/** On a stack that runs here already: it stays as it is. */
async function onRunningStack(context: Context, plan: PlanDocument, pid: number): Promise<number> {
  context.out.lines(`${context.out.theme.good(GLYPH.good)} using the stack that runs here already (process ${pid})`);
  return runPlan(context, plan, true, context.terminal.interrupted);
}

async function onOwnStack(context: Context, plan: PlanDocument, options: DemoOptions): Promise<number> {
  const { out, terminal } = context;
  const { keep = false, adapter } = options;
  // The stack of a demo serves what the demo is to run on.
  const env = adapter === undefined ? terminal.env : { ISOMORPH_ADAPTERS: adapter, ...terminal.env };
  const stack: EmbeddedStack = await startStack(context, env);
  const failed = new AbortController();
  stack.failure.catch(() => failed.abort());
  const own = new Context(out, placeOfStack(stack.info));
  try {
    const code = await runPlan(own, plan, keep, AbortSignal.any([terminal.interrupted, failed.signal]));
    if (failed.signal.aborted) await stack.failure;
    if (keep && !terminal.interrupted.aborted) {
      out.lines('', ...usageLines(stack.info, context), out.theme.dim('Ctrl-C ends the stack.'));
      await untilInterrupted(stack, terminal.interrupted);
    }
    return code;
  } finally {
    await own.close();
    await stack.stop();
  }
}

/** `isomorph demo`: a plan on real data, from nothing to verified outputs, on a stack that it starts and stops. */
export async function demo(context: Context, options: DemoOptions): Promise<number> {
  const { out, terminal } = context;
  const startedMs = Date.now();
  const planId = freshPlanId(startedMs);
  const plan = await readPlan(path.join(EXAMPLE, 'plan.yaml'), terminal, { planId, adapter: options.adapter });
  const running = runningStack(homeOf(terminal));
  const code =
    running === undefined ? await onOwnStack(context, plan, options) : await onRunningStack(context, plan, running.pid);
  const ms = Date.now() - startedMs;
  const stopped = running === undefined ? ', everything stopped again' : '';
  const glyph = code === 0 ? out.theme.good(GLYPH.good) : out.theme.bad(GLYPH.bad);
  out.lines('', `${glyph} ${code === 0 ? 'done' : 'not succeeded'} in ${duration(ms)}${stopped}`);
  out.document({ type: 'result', plan_id: planId, ok: code === 0, duration_ms: ms });
  return code;
}
