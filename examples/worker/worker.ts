/** Serves my/count@1: `node --import tsx examples/worker/worker.ts nats://user:password@host:port`. */
import { BadInputError, serveProcessors } from '../../processors/sdk/index.ts';

const [nats = ''] = process.argv.slice(2);

const { id } = await serveProcessors(
  {
    'my/count@1': async (ctx) => {
      const bytes = await ctx.input('text').bytes();
      ctx.progress(0.5, `read ${bytes.byteLength} bytes`);
      let text: string;
      try {
        text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
      } catch (cause) {
        throw new BadInputError('the text is not UTF-8', { cause });
      }
      const counts = {
        characters: [...text].length,
        lines: text.split('\n').length - (text === '' || text.endsWith('\n') ? 1 : 0),
        words: text.split(/\s+/).filter((word) => word !== '').length,
      };
      await ctx.output('counts.json').write(JSON.stringify(counts));
    },
  },
  { nats, slots: 4, name: 'count-ts', version: '1.0.0' },
);
process.stdout.write(`${id}\n`);
