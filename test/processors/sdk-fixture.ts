import { BadInputError, ProcessorError, runProcessor, TransientError } from '../../processors/sdk/index.ts';

/** Does what `params.act` says, so that tests can watch the SDK from outside. */
await runProcessor(async (ctx) => {
  switch (ctx.params.act) {
    case 'echo': {
      ctx.progress(2, 'more than all');
      await ctx.output('out.txt').write(await ctx.input('in').text());
      return;
    }
    case 'stream': {
      let size = 0;
      for await (const chunk of ctx.input('in').stream()) size += chunk.byteLength;
      await ctx.output('out.txt').write(String(size));
      return;
    }
    case 'undeclared':
      return ctx.output('secret/plans.txt').write('mine');
    case 'write':
      return ctx.output('out.txt').write('x'.repeat(Number(ctx.params.size)));
    case 'write nothing':
      return;
    case 'no input':
      await ctx.input('nowhere').text();
      return;
    case 'bad input':
      throw new BadInputError('the sky is not blue');
    case 'transient':
      throw new TransientError('come back later');
    case 'refuse':
      throw new ProcessorError('no', { code: 'ERR_CAPABILITY' });
    case 'defect':
      throw new TypeError('line one\nline two');
    case 'throw elsewhere':
      setTimeout(() => {
        throw new Error('from a timer');
      });
      return new Promise(() => {});
    case 'secret': {
      const value = ctx.secret('API_KEY');
      ctx.log('the key is', { value });
      throw new Error(`cannot use ${value}`);
    }
    case 'leak':
      throw new Error(`cannot read ${String(ctx.params.url)} nor ${new URL(String(ctx.params.url)).origin}/other?x=1`);
    default:
      throw new BadInputError('params.act is unknown');
  }
});
