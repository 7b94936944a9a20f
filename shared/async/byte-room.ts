import { Turns } from './turns.ts';

interface Waiting {
  readonly bytes: number;
  readonly enter: () => void;
}

/**
 * Room for so many bytes in memory at once. Those who wait take turns, and whoever has the turn is not overtaken, however
 * large what it brings: so nobody waits for ever, nor for all that one other has in line. Who has some must not ask for more.
 */
export class ByteRoom {
  readonly #most: number;
  readonly #waiting = new Turns<Waiting>();
  #free: number;

  constructor(most: number) {
    this.#most = most;
    this.#free = most;
  }

  /**
   * Does what needs so many bytes once there is room for them; what is larger than the room has it alone.
   * @param whose who waits with others for a turn
   */
  async during<T>(whose: string, bytes: number, work: () => Promise<T>): Promise<T> {
    const taken = Math.min(bytes, this.#most);
    await new Promise<void>((enter) => {
      this.#waiting.add(whose, { bytes: taken, enter });
      this.#letIn();
    });
    try {
      return await work();
    } finally {
      this.#free += taken;
      this.#letIn();
    }
  }

  #letIn(): void {
    for (let { first } = this.#waiting; first !== undefined && first.bytes <= this.#free; { first } = this.#waiting) {
      this.#waiting.next();
      this.#free -= first.bytes;
      first.enter();
    }
  }
}
