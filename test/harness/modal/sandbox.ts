import { type ChildProcess, spawn } from 'node:child_process';
import os from 'node:os';
import { GENERIC, type GenericResult } from './rpc.ts';
import { SandboxOutput } from './sandbox-output.ts';

export interface Tag {
  readonly tag_name: string;
  readonly tag_value: string;
}

export interface SandboxSpec {
  readonly id: string;
  readonly taskId: string;
  readonly jwt: string;
  readonly isV2: boolean;
  readonly appId: string;
  readonly name: string;
  readonly regions: readonly string[];
  readonly createdMs: number;
  readonly timeoutMs: number;
  /** As the client asked for it: what tests look at. */
  readonly request: object;
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** One sandbox: its command as a child process of this one, in a process group of its own. */
export class Sandbox {
  readonly spec: SandboxSpec;
  readonly stdout = new SandboxOutput();
  readonly stderr = new SandboxOutput();
  /** Resolves when it has ended. */
  readonly ended: Promise<GenericResult>;
  tags: readonly Tag[];
  result: GenericResult | undefined;
  finishedMs = 0;
  readonly #child: ChildProcess;
  /** Why it was made to end; the first reason holds. */
  #reason: GenericResult | undefined;
  #stdinBytes = 0;

  constructor(spec: SandboxSpec, tags: readonly Tag[], nowMs: () => number) {
    this.spec = spec;
    this.tags = tags;
    const [program = '', ...args] = spec.command;
    const child = spawn(program, args, { cwd: spec.cwd, env: { ...spec.env }, detached: true, stdio: 'pipe' });
    this.#child = child;
    child.stdout.on('data', (bytes: Buffer) => this.stdout.write(bytes));
    child.stderr.on('data', (bytes: Buffer) => this.stderr.write(bytes));
    // A processor may end without reading its input.
    child.stdin.on('error', () => undefined);
    child.once('exit', () => this.#killGroup());
    child.once('error', (error) => {
      this.#reason = { status: GENERIC.initFailure, exception: `exec: ${error.message}`, exitcode: 1 };
    });
    const timer = setTimeout(() => this.kill({ status: GENERIC.timeout, exitcode: 124 }), spec.timeoutMs);
    // Not `once`: it would reject where the command could not be started.
    const closed = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
      child.once('close', (code, signal) => resolve([code, signal]));
    });
    this.ended = closed.then(([code, signal]) => {
      clearTimeout(timer);
      this.result = this.#reason ?? resultOf(code, signal);
      this.finishedMs = nowMs();
      this.stdout.end();
      this.stderr.end();
      return this.result;
    });
  }

  /** Writes what lies beyond what was written before: a repeated write changes nothing. */
  writeStdin(offset: number, data: Buffer, eof: boolean): void {
    const fresh = data.subarray(Math.max(0, this.#stdinBytes - offset));
    this.#stdinBytes += fresh.length;
    if (fresh.length > 0) this.#child.stdin?.write(fresh);
    if (eof) this.#child.stdin?.end();
  }

  get stdinBytes(): number {
    return this.#stdinBytes;
  }

  /** Ends it for a reason. Does nothing to one that has ended. */
  kill(reason: GenericResult): void {
    if (this.result !== undefined) return;
    this.#reason ??= reason;
    this.#killGroup();
  }

  #killGroup(): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** As Modal tells it: a signal is an exit code above 128. */
function resultOf(code: number | null, signal: NodeJS.Signals | null): GenericResult {
  if (code === 0) return { status: GENERIC.success };
  const exitcode = code ?? 128 + (signal === null ? 0 : os.constants.signals[signal]);
  return { status: GENERIC.failure, exitcode };
}
