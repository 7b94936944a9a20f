import { readTable } from '../csv_profile/table.ts';
import { BadInputError, runProcessor } from '../sdk/index.ts';
import { drawHistograms } from './histograms.ts';
import { drawMissing } from './missing.ts';
import { buildModel, readProfile } from './model.ts';
import { drawScatter } from './scatter.ts';

await runProcessor(async (ctx) => {
  const colorBy = ctx.params.color_by;
  if (colorBy !== undefined && typeof colorBy !== 'string') {
    throw new BadInputError('params.color_by is no text', { code: 'ERR_PARAMS' });
  }
  const profile = readProfile(await ctx.input('profile').text());
  const table = readTable(await ctx.input('table').bytes(), profile.delimiter);
  const model = buildModel(table, profile, colorBy);
  ctx.progress(0.4, `read ${model.rows} rows`);
  await ctx.output('histograms.svg').write(drawHistograms(model));
  ctx.progress(0.6, 'histograms drawn');
  await ctx.output('scatter.svg').write(drawScatter(model));
  ctx.progress(0.8, 'scatter matrix drawn');
  await ctx.output('missing.svg').write(drawMissing(model));
  ctx.progress(1, 'missing values drawn');
});
