import type { Output } from './output.ts';
import { spinnerFrame } from './render/live.ts';
import { duration } from './render/text.ts';

const FRAME_MS = 80;
const ERASE = '\r\u001b[2K';

/** Says what is waited for: on a terminal with the time it takes, else once. */
export class Waiting {
  readonly #out: Output;
  readonly #startedMs = Date.now();
  #text: string;
  #timer: NodeJS.Timeout | undefined;
  #frame = 0;

  constructor(out: Output, text: string) {
    this.#out = out;
    this.#text = text;
    if (out.json) return;
    if (!out.terminal.isTty) {
      out.note(text);
      return;
    }
    this.#timer = setInterval(() => this.#draw(), FRAME_MS);
  }

  /** A line that stays, above the one that moves. */
  say(line: string): void {
    if (this.#timer !== undefined) this.#out.terminal.stdout.write(ERASE);
    this.#out.lines(line);
  }

  /** What is waited for now; seen where it can be drawn again. */
  change(text: string): void {
    this.#text = text;
  }

  end(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#out.terminal.stdout.write(ERASE);
  }

  #draw(): void {
    const { theme, terminal } = this.#out;
    this.#frame += 1;
    const took = duration(Date.now() - this.#startedMs);
    terminal.stdout.write(`${ERASE}${theme.accent(spinnerFrame(this.#frame))} ${this.#text} ${theme.dim(took)}`);
  }
}
