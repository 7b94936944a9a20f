import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ServiceName } from '../../services/common/services.ts';

const MAIN = fileURLToPath(new URL('../../bin/run.mjs', import.meta.url));

/** A service in a process of its own, as compose runs it, that can be killed and started again. */
export class ServiceProcess {
  readonly name: ServiceName;
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess;
  #output = '';

  constructor(name: ServiceName, env: Readonly<Record<string, string>>) {
    this.name = name;
    this.#env = { ...process.env, ...env };
    this.#child = this.#spawn();
  }

  /** SIGKILL, and a new process at once. */
  async killAndRestart(): Promise<void> {
    const killed = this.#child;
    killed.kill('SIGKILL');
    await once(killed, 'close');
    this.#child = this.#spawn();
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGTERM');
    await closed;
  }

  /** What it wrote, for the message of a failed test. */
  get output(): string {
    return this.#output.slice(-4_000);
  }

  #spawn(): ChildProcess {
    const child = spawn(process.execPath, [MAIN, 'service', this.name], {
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString('utf8')).slice(-64_000);
      });
    }
    return child;
  }
}
