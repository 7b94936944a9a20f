import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProcessName } from '../../services/common/services.ts';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

/** A service in a process of its own, as compose runs it, that can be killed and started again. */
export class ServiceProcess {
  readonly name: ProcessName;
  readonly #env: NodeJS.ProcessEnv;
  readonly #main: string;
  #isTold = false;
  #child: ChildProcess;
  #output = '';
  #onOutput: () => void = () => undefined;

  /** @param root the sources that it runs; default: these */
  constructor(name: ProcessName, env: Readonly<Record<string, string>>, root = PROJECT) {
    this.name = name;
    this.#env = { ...process.env, ...env };
    this.#main = path.join(root, 'bin', 'run.mjs');
    this.#child = this.#spawn();
  }

  /** SIGKILL, and a new process at once. */
  async killAndRestart(): Promise<void> {
    const killed = this.#child;
    this.#isTold = true;
    if (!this.#isGone) {
      killed.kill('SIGKILL');
      await once(killed, 'close');
    }
    this.#child = this.#spawn();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Without having been told to. */
  get hasEndedByItself(): boolean {
    return this.#isGone && !this.#isTold;
  }

  get #isGone(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Resolves when it has ended, by itself or not. */
  async ended(): Promise<void> {
    if (!this.#isGone) await once(this.#child, 'close');
  }

  /** SIGSTOP: it sleeps, and holds what it has taken. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    this.#isTold = true;
    if (this.#isGone) return;
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGTERM');
    // One that sleeps hears nothing.
    this.resume();
    await closed;
  }

  /** SIGTERM when it runs, and a new process. */
  async restart(): Promise<void> {
    await this.stop();
    this.#child = this.#spawn();
  }

  /** Lines of its log that `isIt` accepts, once there is one. Written before or still to come; throws when it ends before. */
  async logged(isIt: (line: string) => boolean): Promise<readonly string[]> {
    for (;;) {
      const found = this.#output.split('\n').filter(isIt);
      if (found.length > 0) return found;
      if (this.#child.exitCode !== null) throw new Error(`${this.name} ended: ${this.output}`);
      await new Promise<void>((resolve) => {
        this.#onOutput = resolve;
      });
    }
  }

  /** Lines of its log that tell of an error, or of worse. */
  get alarms(): readonly string[] {
    return this.#output.split('\n').filter((line) => /"level":[56]0/.test(line));
  }

  /** The last 256 KB of what it wrote, over all its processes. */
  get log(): string {
    return this.#output;
  }

  /** What it wrote, for the message of a failed test. */
  get output(): string {
    return this.#output.slice(-4_000);
  }

  #spawn(): ChildProcess {
    this.#isTold = false;
    const child = spawn(process.execPath, [this.#main, 'service', this.name], {
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString('utf8')).slice(-256_000);
        this.#onOutput();
      });
    }
    child.once('close', () => this.#onOutput());
    return child;
  }
}
