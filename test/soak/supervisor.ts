/** Starts services again that ended by themselves, as compose does: one may end while it starts and its servers are away. */
import type { Deployment } from './deployment.ts';

const LOOK_AGAIN_MS = 300;
/** Why a service may end while it starts, where somebody kills its servers. One that never comes back leaves plans open. */
const PASSING = /ERR_UNAVAILABLE/;

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
      const last = copy.log.trim().split('\n').at(-1) ?? '';
      const told = `${name} ended by itself: ${last.slice(0, 300)}`;
      this.#tell(told);
      if (this.#isCalm || !PASSING.test(last)) this.#found(told);
      void copy.restart();
    }
  }
}
