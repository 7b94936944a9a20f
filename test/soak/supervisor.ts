/** Starts services again that ended by themselves, as compose does: one may end while it starts and its servers are away. */
import type { Deployment } from './deployment.ts';

const LOOK_AGAIN_MS = 300;
/** What a process writes of its end; its log may come behind it. */
const END = /^error .*$/m;
const LAST_CHARACTERS = 4_000;
/** Why a service may end while it starts, where somebody kills its servers. One that never comes back leaves plans open. */
const PASSING = /^error ERR_UNAVAILABLE/;

export class Supervisor {
  /** What is wrong, once something is. */
  readonly finding: Promise<string>;
  readonly #deployment: Deployment;
  readonly #isCalm: boolean;
  readonly #tell: (line: string) => void;
  readonly #timer: NodeJS.Timeout;
  #found: (finding: string) => void = () => undefined;

  constructor(deployment: Deployment, isCalm: boolean, tell: (line: string) => void) {
    this.#deployment = deployment;
    this.#isCalm = isCalm;
    this.#tell = tell;
    this.finding = new Promise((resolve) => {
      this.#found = resolve;
    });
    this.#timer = setInterval(() => this.#look(), LOOK_AGAIN_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const [name, copy] of this.#deployment.copies) {
      if (!copy.hasEndedByItself) continue;
      const last = copy.log.slice(-LAST_CHARACTERS);
      const reason = last.match(END)?.[0] ?? last.trim().split('\n').at(-1) ?? '';
      const told = `${name} ended by itself: ${reason.slice(0, 300)}`;
      this.#tell(told);
      if (this.#isCalm || !PASSING.test(reason)) this.#found(told);
      void copy.restart();
    }
  }
}
