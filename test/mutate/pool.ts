import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { RunReply, RunRequest } from './worker.ts';

/** A loaded suite stays in memory for good, so a worker ends after so many. */
const LOADS_PER_WORKER = 200;

export type RunEnd =
  | { readonly kind: 'reply'; readonly reply: RunReply }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'crash' };

/** One warm process; ended when what it runs takes too long, and made anew when next needed. */
export class Runner {
  readonly #main: string;
  #child: ChildProcess | undefined;
  #loads = 0;

  constructor(main: string) {
    this.#main = main;
  }

  async run(request: RunRequest, timeoutMs: number): Promise<RunEnd> {
    if (++this.#loads % LOADS_PER_WORKER === 0) await this.close();
    const child = this.#child ?? this.#start();
    const end = await new Promise<RunEnd>((resolve) => {
      const timer = setTimeout(() => settle({ kind: 'timeout' }), timeoutMs);
      const onMessage = (reply: RunReply): void => settle({ kind: 'reply', reply });
      const onExit = (): void => settle({ kind: 'crash' });
      const settle = (end: RunEnd): void => {
        clearTimeout(timer);
        child.off('message', onMessage).off('exit', onExit);
        resolve(end);
      };
      child.on('message', onMessage).on('exit', onExit);
      child.send(request);
    });
    if (end.kind !== 'reply') await this.close();
    return end;
  }

  #start(): ChildProcess {
    // Bounded memory: a mutant that collects for ever ends soon.
    const child = fork(this.#main, {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: ['--max-old-space-size=768'],
    });
    this.#child = child;
    // A mutant that loops would outlive whoever breaks off the run.
    const kill = (): void => void child.kill('SIGKILL');
    process.once('exit', kill);
    child.once('exit', () => process.off('exit', kill));
    return child;
  }

  async close(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}
