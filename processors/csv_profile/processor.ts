import canonicalize from 'canonicalize';
import { BadInputError, runProcessor } from '../sdk/index.ts';
import { profileTable } from './profile.ts';
import { DELIMITERS, type Delimiter, readTable } from './table.ts';
import { DEFAULT_MISSING } from './values.ts';

const DEFAULT_BINS = 20;
const BINS_MAX = 200;

const isDelimiter = (value: unknown): value is Delimiter => DELIMITERS.some((delimiter) => delimiter === value);
const isText = (value: unknown): value is string => typeof value === 'string';

function readParams(params: Readonly<Record<string, unknown>>) {
  const { delimiter, missing = DEFAULT_MISSING, bins = DEFAULT_BINS } = params;
  const wrong = (message: string): BadInputError => new BadInputError(message, { code: 'ERR_PARAMS' });
  if (delimiter !== undefined && !isDelimiter(delimiter)) {
    throw wrong(`params.delimiter is none of ${JSON.stringify(DELIMITERS)}`);
  }
  if (!Array.isArray(missing) || !missing.every(isText)) throw wrong('params.missing is no list of texts');
  if (typeof bins !== 'number' || !Number.isInteger(bins) || bins < 1 || bins > BINS_MAX) {
    throw wrong(`params.bins is no whole number from 1 to ${BINS_MAX}`);
  }
  return { delimiter, missing: missing.map((token) => token.trim()), bins };
}

await runProcessor(async (ctx) => {
  const { delimiter, missing, bins } = readParams(ctx.params);
  const table = readTable(await ctx.input('table').bytes(), delimiter);
  ctx.progress(0.5, `read ${table.rows} rows of ${table.columns.length} columns`);
  const profile = profileTable(table, { missingTokens: missing, bins });
  await ctx.output('profile.json').write(canonicalize(profile) ?? '');
  ctx.progress(1, 'profile written');
});
