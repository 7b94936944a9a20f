import Type, { type Static } from 'typebox';
import type { Predicate } from './predicate.ts';

const Args = Type.Object(
  {
    use: Type.Literal('series.has_new@1'),
    series: Type.String({ minLength: 1, maxLength: 256 }),
    after: Type.Optional(Type.Integer({ minimum: 0, description: 'a watermark; 0 when absent' })),
  },
  { additionalProperties: false },
);

/** The ledger has sampled the series beyond the watermark `after`. */
export const seriesHasNew: Predicate<Static<typeof Args>> = {
  use: 'series.has_new@1',
  args: Args,
  paths: [],
  reads: ({ series }) => [{ kind: 'series', series }],
  check({ series, after = 0 }, evidence) {
    const watermark = evidence.series(series);
    if (watermark === undefined) return { ok: false, found: `${series} was never sampled` };
    return { ok: watermark > after, found: `watermark ${watermark}` };
  },
};
