import sharp, { type Metadata } from 'sharp';
import { BadInputError } from '../sdk/index.ts';
import type { ThumbnailParams } from './params.ts';

// Only three decoders may run, whatever the bytes say they are: libvips also reads SVG, PDF and others, which can name
// files and addresses.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({ operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer', 'VipsForeignLoadWebpBuffer'] });
// One process makes one small set: no cache pays off. Vector code rounds differently from one processor to the next,
// and the same pictures should give the same bytes.
sharp.cache(false);
sharp.simd(false);

/** A scaled picture as RGBA, 8 bits each, upright and in sRGB. */
export interface Raster {
  readonly data: Buffer;
  readonly width: number;
  readonly height: number;
}

export interface Picture {
  readonly format: string;
  /** Of the whole picture, upright, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly hasAlpha: boolean;
  readonly thumbnail: Raster;
}

const firstLine = (thrown: unknown): string =>
  (thrown instanceof Error ? thrown.message : String(thrown)).split('\n')[0] ?? '';

async function readHeader(name: string, bytes: Uint8Array): Promise<Metadata> {
  try {
    return await sharp(bytes, { limitInputPixels: false }).metadata();
  } catch (cause) {
    const what = bytes.byteLength === 0 ? 'is empty' : 'is no JPEG, PNG or WebP picture';
    throw new BadInputError(`input "${name}" ${what}`, { cause });
  }
}

/**
 * Decodes a picture and scales it to the box of a thumbnail: the orientation that EXIF tells is applied, an embedded
 * colour profile turned into sRGB, all metadata left behind. Of an animation it takes the first frame.
 * @throws BadInputError when it is no picture, has more than `maxPixels`, or is damaged.
 */
export async function readPicture(name: string, bytes: Uint8Array, params: ThumbnailParams): Promise<Picture> {
  const header = await readHeader(name, bytes);
  const { format, width, height, hasAlpha, autoOrient } = header;
  if (width * height > params.maxPixels) {
    const megapixels = (width * height) / 1_000_000;
    throw new BadInputError(
      `input "${name}" has ${width} x ${height} pixels, ${megapixels.toFixed(1)} megapixels; at most ${params.maxPixels / 1_000_000} are allowed`,
      { code: 'ERR_TOO_LARGE' },
    );
  }
  try {
    const { data, info } = await sharp(bytes, { limitInputPixels: params.maxPixels, failOn: 'error' })
      .autoOrient()
      .resize({
        width: params.width,
        height: params.height,
        fit: params.fit,
        withoutEnlargement: params.fit === 'inside',
      })
      .toColourspace('srgb')
      .ensureAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const thumbnail = { data, width: info.width, height: info.height };
    return { format, width: autoOrient.width, height: autoOrient.height, hasAlpha, thumbnail };
  } catch (cause) {
    throw new BadInputError(`input "${name}" is a damaged ${format} picture: ${firstLine(cause)}`, { cause });
  }
}

/** The thumbnail as a WebP file without metadata. */
export async function encodeThumbnail({ thumbnail, hasAlpha }: Picture, quality: number): Promise<Uint8Array> {
  const { data, width, height } = thumbnail;
  const image = sharp(data, { raw: { width, height, channels: 4 } });
  return (hasAlpha ? image : image.removeAlpha()).webp({ quality, smartSubsample: true }).toBuffer();
}
