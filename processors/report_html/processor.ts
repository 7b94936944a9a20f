import type { Profile } from '../csv_profile/profile.ts';
import { BadInputError, type ProcessorContext, runProcessor } from '../sdk/index.ts';
import { type Chart, renderReport } from './report.ts';

const DEFAULT_TITLE = 'Data report';
/** Input names of charts, in the order of the page, and what they are called. */
const CHARTS = [
  ['histograms', 'How values are distributed'],
  ['scatter', 'How columns relate'],
  ['missing', 'Where values are missing'],
] as const;

async function readJson(ctx: ProcessorContext, name: string): Promise<Record<string, unknown>> {
  const text = await ctx.input(name).text();
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null) return { ...parsed };
  } catch (thrown) {
    throw new BadInputError(`the input "${name}" is not JSON`, { cause: thrown });
  }
  throw new BadInputError(`the input "${name}" is no JSON object`);
}

async function readProfile(ctx: ProcessorContext): Promise<Profile> {
  const profile = await readJson(ctx, 'profile');
  if (typeof profile.rows === 'number' && Array.isArray(profile.columns)) return profile as unknown as Profile;
  throw new BadInputError('the input "profile" is no profile of csv/profile@1');
}

async function readNote(ctx: ProcessorContext): Promise<string | undefined> {
  if (!ctx.inputNames.includes('note')) return undefined;
  const { message } = await readJson(ctx, 'note');
  if (typeof message === 'string') return message;
  throw new BadInputError('the input "note" has no text in /message');
}

async function readCharts(ctx: ProcessorContext): Promise<Chart[]> {
  const given = CHARTS.filter(([name]) => ctx.inputNames.includes(name));
  return Promise.all(given.map(async ([name, title]) => ({ title, svg: await ctx.input(name).bytes() })));
}

await runProcessor(async (ctx) => {
  const { title = DEFAULT_TITLE } = ctx.params;
  if (typeof title !== 'string') throw new BadInputError('params.title is no text', { code: 'ERR_PARAMS' });
  const [profile, charts, note] = [await readProfile(ctx), await readCharts(ctx), await readNote(ctx)];
  ctx.progress(0.5, `read ${ctx.inputNames.length} inputs`);
  // Without the id of the plan: the same inputs give the same page, whatever the plan is called.
  const ownOutputs = `/artifacts/outputs/${ctx.planId}/`;
  const sources = ctx.inputNames.map((name) => {
    const { path, cid, size } = ctx.input(name);
    return { name, path: path.replace(ownOutputs, ''), cid, size };
  });
  await ctx
    .output('report.html')
    .write(renderReport({ title, profile, charts, note, sources, processor: ctx.processor }));
  ctx.progress(1, 'report written');
});
