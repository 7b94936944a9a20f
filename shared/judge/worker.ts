import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { IsomorphError } from '../errors/isomorph-error.ts';
import type { Answer, Question } from './question.ts';

const RUN = fileURLToPath(new URL('../../bin/run.mjs', import.meta.url));

/** Of JavaScript objects: a document of 16 MiB as values, and what an expression makes of it. */
const HEAP_MIB = 512;
/** How often a question that takes long is looked at. */
const LOOK_MS = 50;
/** For what uses no CPU and yet does not end, such as a stopped process. */
const WALL_MS = 60_000;
/** The kernel's unit in /proc, on every platform that Node runs on. */
const TICK_MS = 10;

/** CPU of a process so far in ms; undefined where the system does not tell. */
async function cpuMs(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // Behind the name, which may hold anything: fields 14 and 15 of all.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Signals that a process gets from itself: V8 ends it so when a heap or a size is too large. The others come from outside. */
const OWN_SIGNALS: ReadonlySet<NodeJS.Signals> = new Set(['SIGABRT', 'SIGTRAP', 'SIGILL', 'SIGSEGV', 'SIGBUS']);

const unavailable = (how: string): IsomorphError =>
  new IsomorphError('ERR_UNAVAILABLE', `the process that judges predicates ${how}`);

/** The worker was killed from outside while it was asked, as the kernel does when memory is short. */
export interface Killed {
  readonly kind: 'killed';
}

/** A question that waits for its answer. */
interface Pending {
  readonly resolve: (answer: Answer | Killed) => void;
  readonly reject: (error: unknown) => void;
}

/** A process that answers one question at a time, until a question is the end of it. */
export class JudgeWorker {
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;
  #pending: Pending | undefined;
  #isAlive = true;

  constructor() {
    this.#child = fork(RUN, ['judge', String(process.pid)], {
      // An interrupt at the terminal is for the service, which stops in order and then ends its judges.
      detached: true,
      env: {},
      // Without __proto__ a member of that name is a member like any other.
      execArgv: [`--max-old-space-size=${HEAP_MIB}`, '--disable-proto=delete'],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#ready = new Promise((resolve, reject) => {
      const gone = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.#isAlive = false;
        reject(unavailable('did not start'));
        const byItself = signal === null ? code !== 0 : OWN_SIGNALS.has(signal);
        if (byItself) this.#pending?.resolve({ kind: 'exceeded', limit: 'memory' });
        else if (signal === 'SIGKILL') this.#pending?.resolve({ kind: 'killed' });
        else this.#pending?.reject(unavailable(`was ended by ${signal ?? 'itself'}`));
      };
      this.#child.once('error', () => gone(0, null)).once('exit', gone);
      this.#child.on('message', (message: Answer | 'ready') => {
        if (message === 'ready') resolve();
        else this.#pending?.resolve(message);
      });
    });
    // Whoever asks is told.
    this.#ready.catch(() => undefined);
    this.#idle();
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /**
   * The answer, or that it would have cost more than `limitMs` of CPU: then this worker is no more. CPU and not time: on a
   * busy machine the same questions are answered.
   * @throws ERR_UNAVAILABLE when the process could not be started, or was asked to end by somebody else
   */
  async ask(question: Question, limitMs: number): Promise<Answer | Killed> {
    this.#child.ref();
    this.#child.channel?.ref();
    try {
      await this.#ready;
      return await this.#answered(question, limitMs);
    } finally {
      this.#pending = undefined;
      this.#idle();
    }
  }

  end(): void {
    this.#isAlive = false;
    this.#child.kill('SIGKILL');
  }

  /** An idle worker keeps no program from ending. */
  #idle(): void {
    this.#child.unref();
    this.#child.channel?.unref();
  }

  async #answered(question: Question, limitMs: number): Promise<Answer | Killed> {
    const pid = this.#child.pid ?? 0;
    const before = await cpuMs(pid);
    const startedMs = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const answered = new Promise<Answer | Killed>((resolve, reject) => {
      const pending = { resolve, reject };
      this.#pending = pending;
      const look = async (): Promise<void> => {
        const wallMs = performance.now() - startedMs;
        const now = before === undefined ? undefined : await cpuMs(pid);
        // It may have been answered meanwhile, and this worker asked something else.
        if (this.#pending !== pending) return;
        const usedMs = now === undefined || before === undefined ? wallMs : now - before;
        if (usedMs < limitMs && wallMs < WALL_MS) {
          timer = setTimeout(look, LOOK_MS);
          return;
        }
        this.#pending = undefined;
        this.end();
        if (usedMs < limitMs) reject(unavailable(`did nothing for ${WALL_MS / 1_000} s`));
        else resolve({ kind: 'exceeded', limit: 'time' });
      };
      timer = setTimeout(look, LOOK_MS);
      this.#child.send(question, (error) => {
        if (error !== null) reject(unavailable('could not be asked'));
      });
    });
    return answered.finally(() => clearTimeout(timer));
  }
}
