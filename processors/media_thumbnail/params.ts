import { BadInputError } from '../sdk/index.ts';

export interface ThumbnailParams {
  /** Box of a thumbnail, in pixels. */
  readonly width: number;
  readonly height: number;
  /** `inside`: the whole picture, within the box, never enlarged. `cover`: the box filled, the rest cut off evenly. */
  readonly fit: 'inside' | 'cover';
  /** Of WebP, from 1 to 100. */
  readonly quality: number;
  /** Of the contact sheet; undefined makes it about square. */
  readonly columns: number | undefined;
  /** Of the contact sheet, `#rrggbb`. */
  readonly background: string;
  /** Pictures with more pixels are refused before they are decoded. */
  readonly maxPixels: number;
}

function whole(params: Readonly<Record<string, unknown>>, name: string, from: number, to: number): number | undefined {
  const value = params[name];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to) return value;
  throw new BadInputError(`params.${name} is no whole number from ${from} to ${to}`, { code: 'ERR_PARAMS' });
}

/** Checks the params as the registry file does, for who runs the program without admission, and fills in defaults. */
export function readParams(params: Readonly<Record<string, unknown>>): ThumbnailParams {
  const { fit = 'inside', background = '#f1f1ee' } = params;
  if (fit !== 'inside' && fit !== 'cover') {
    throw new BadInputError('params.fit is neither inside nor cover', { code: 'ERR_PARAMS' });
  }
  if (typeof background !== 'string' || !/^#[0-9a-f]{6}$/i.test(background)) {
    throw new BadInputError('params.background is no colour like #f1f1ee', { code: 'ERR_PARAMS' });
  }
  return {
    width: whole(params, 'width', 16, 512) ?? 320,
    height: whole(params, 'height', 16, 512) ?? 320,
    fit,
    quality: whole(params, 'quality', 1, 100) ?? 80,
    columns: whole(params, 'columns', 1, 24),
    background,
    maxPixels: (whole(params, 'max_megapixels', 1, 100) ?? 64) * 1_000_000,
  };
}
