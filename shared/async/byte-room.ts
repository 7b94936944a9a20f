interface Waiting {
  readonly bytes: number;
  readonly enter: () => void;
}

/**
 * Room for so many bytes in memory at once, given in the order in which it was asked for: what is large is never overtaken,
 * so nobody waits for ever. Who has some must not ask for more.
 */
export class ByteRoom {
  readonly #most: number;
  readonly #waiting: Waiting[] = [];
  #free: number;

  constructor(most: number) {
    this.#most = most;
    this.#free = most;
  }

  /** Does what needs so many bytes once there is room for them; what is larger than the room has it alone. */
  async during<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    const taken = Math.min(bytes, this.#most);
    await new Promise<void>((enter) => {
      this.#waiting.push({ bytes: taken, enter });
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
    for (let [first] = this.#waiting; first !== undefined && first.bytes <= this.#free; [first] = this.#waiting) {
      this.#waiting.shift();
      this.#free -= first.bytes;
      first.enter();
    }
  }
}
