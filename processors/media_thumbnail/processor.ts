import { BadInputError, runProcessor } from '../sdk/index.ts';
import { readParams } from './params.ts';
import { encodeThumbnail, type Picture, readPicture } from './picture.ts';
import { drawSheet } from './sheet.ts';

/** Pictures come compressed; what is larger is no picture for a thumbnail, and memory is bounded. */
const INPUT_BYTES_MAX = 64 * 1024 * 1024;

/** The number in `image_7`, which also names its output. */
const numberOf = (name: string): number => Number(name.slice('image_'.length));

/** media/thumbnail@1: a small WebP of each picture, all of them on one sheet, and what they were. */
await runProcessor(async (ctx) => {
  const params = readParams(ctx.params);
  const names = [...ctx.inputNames].sort((a, b) => numberOf(a) - numberOf(b));
  if (names.length === 0) throw new BadInputError('no picture was given', { code: 'ERR_INPUT_MISSING' });
  const pictures: Picture[] = [];
  const entries: Record<string, unknown>[] = [];
  for (const [index, name] of names.entries()) {
    const input = ctx.input(name);
    if (input.size > INPUT_BYTES_MAX) {
      throw new BadInputError(`input "${name}" has ${input.size} bytes; at most ${INPUT_BYTES_MAX} are allowed`, {
        code: 'ERR_TOO_LARGE',
      });
    }
    const picture = await readPicture(name, await input.bytes(), params);
    const output = `thumb_${numberOf(name)}.webp`;
    await ctx.output(output).write(await encodeThumbnail(picture, params.quality));
    pictures.push(picture);
    const { format, width, height, thumbnail } = picture;
    const small = { height: thumbnail.height, output, width: thumbnail.width };
    entries.push({ cid: input.cid, format, height, input: name, path: input.path, thumbnail: small, width });
    ctx.progress((index + 1) / (names.length + 1), `${name}: ${width} x ${height}`);
  }
  const rasters = pictures.map(({ thumbnail }) => thumbnail);
  await ctx.output('contact_sheet.png').write(await drawSheet(rasters, params));
  await ctx.output('index.json').write(JSON.stringify({ pictures: entries }));
  ctx.progress(1, `${names.length} on the contact sheet`);
});
