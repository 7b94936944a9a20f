/** A worker that serves `test/actor@1` and does what its params say: `worker-main.ts <nats url> <slots> [version]`. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { type ProcessorContext, ProcessorError, serveProcessors } from '../../processors/sdk/index.ts';

class Exit extends ProcessorError {
  override readonly exitCode: number;
  override readonly retryable: boolean | undefined;

  constructor(exitCode: number, message: string, more: { readonly code?: string; readonly retryable?: boolean } = {}) {
    super(message, more);
    this.exitCode = exitCode;
    this.retryable = more.retryable;
  }
}

/** Until the worker is told to end it. */
const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true }));

async function act(ctx: ProcessorContext): Promise<void> {
  const {
    mode,
    megabytes = 1,
    signal,
    url,
  } = ctx.params as {
    mode?: string;
    megabytes?: number;
    signal?: NodeJS.Signals;
    url?: string;
  };
  switch (mode) {
    case 'look':
      ctx.log(`job ${JSON.stringify({ params: ctx.params, execution_id: ctx.executionId })}`);
      ctx.log(`secret ${ctx.secret('PROBE_TOKEN').length} ${ctx.secret('PROBE_TOKEN')}`);
      ctx.log(`around ${JSON.stringify(process.env.PROBE_TOKEN)}`);
      return;
    case 'report':
      throw new Exit(1, 'the last word', { code: 'ERR_PARAMS', retryable: false });
    case 'signal':
      process.kill(process.pid, signal);
      return new Promise(() => undefined);
    case 'hang':
      return aborted(ctx.signal);
    case 'stubborn':
      return new Promise(() => undefined);
    case 'grandchild':
    case 'hanging grandchild': {
      const { pid } = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
      ctx.log(`grandchild ${pid}`);
      return mode === 'grandchild' ? undefined : aborted(ctx.signal);
    }
    case 'flood': {
      const megabyte = `${'x'.repeat(1023)}\n`.repeat(1024);
      for (let count = 0; count < megabytes; count++) ctx.log(megabyte.trimEnd());
      return ctx.log('the end');
    }
    case 'until told': {
      // Ends when somebody answers, whatever is asked of the signal.
      await fetch(String(url));
      return;
    }
    case 'write':
      return ctx.output('answer.json').write(JSON.stringify(ctx.params));
    default:
      return undefined;
  }
}

const [url = '', slots = '16', version = '1.0.0'] = process.argv.slice(2);
const served = await serveProcessors(
  {
    'test/actor@1': async (ctx) => {
      ctx.log(`token ${randomUUID()}`);
      ctx.log(`version ${version}`);
      ctx.progress(0.5, 'begun');
      await act(ctx);
      const { exit_code: exitCode = 0 } = ctx.params as { exit_code?: number };
      if (exitCode !== 0) throw new Exit(exitCode, `exit ${exitCode}`);
    },
  },
  { nats: url, slots: Number(slots), name: 'actor', version },
);
process.stdout.write(`${served.id}\n`);
