import { BadInputError, runProcessor } from '../../processors/sdk/index.ts';

/** text/count@1: counts the lines, words and characters of a text. */
await runProcessor(async (ctx) => {
  const bytes = await ctx.input('text').bytes();
  ctx.progress(0.5, `read ${bytes.byteLength} bytes`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new BadInputError('the text is not UTF-8', { cause });
  }
  const counts = {
    characters: [...text].length,
    lines: text.split('\n').length - (text === '' || text.endsWith('\n') ? 1 : 0),
    words: text.split(/\s+/).filter((word) => word !== '').length,
  };
  await ctx.output('counts.json').write(JSON.stringify(counts));
  ctx.progress(1, 'counted');
});
