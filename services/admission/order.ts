import type { NatsConnection } from '@nats-io/transport-node';
import { firstMessageFrom } from '../../shared/nats/read.ts';
import { COMMANDS_STREAM } from '../../shared/wire/commands.ts';
import { planOfCommand } from './command.ts';

const REMEMBERED = 1_024;

/**
 * Which commands of a plan were stored before another and are not answered yet, whoever holds them: this copy of admission,
 * another one that may be asleep, or nobody until it is delivered again. A copy knows its own deliveries. Where commands are
 * missing between them others have taken those, and they are read from the stream once; a copy that is alone reads nothing.
 */
export class CommandOrder {
  readonly #connection: NatsConnection;
  /** The plan by sequence, of commands that nobody has answered as far as is known here. */
  readonly #open = new Map<number, string>();
  /** The same by plan. */
  readonly #ofPlan = new Map<string, Set<number>>();
  /** Every command up to here is open or was answered. */
  #knownTo = 0;
  /** Sequences behind it that were delivered here. */
  readonly #ahead = new Set<number>();
  #reading: Promise<void> | undefined;
  readonly #remembered: number;
  #forgetAt: number;

  /** @param remembered so many open commands, before those that others have answered are looked for */
  constructor(connection: NatsConnection, remembered = REMEMBERED) {
    this.#connection = connection;
    this.#remembered = remembered;
    this.#forgetAt = remembered;
  }

  /** A command that names no plan is in nobody's way. */
  delivered(seq: number, planId: string | undefined): void {
    this.#note(seq, planId);
    if (seq > this.#knownTo) this.#ahead.add(seq);
    this.#advance();
  }

  /** Whether it is the first of several commands of its plan, as far as is known here: the others wait for it. */
  isAwaited(planId: string, seq: number): boolean {
    const ofPlan = this.#ofPlan.get(planId);
    if (ofPlan === undefined || ofPlan.size < 2) return false;
    for (const one of ofPlan) if (one < seq) return false;
    return true;
  }

  answered(seq: number): void {
    const planId = this.#open.get(seq);
    this.#open.delete(seq);
    if (planId === undefined) return;
    const ofPlan = this.#ofPlan.get(planId);
    ofPlan?.delete(seq);
    if (ofPlan?.size === 0) this.#ofPlan.delete(planId);
  }

  /**
   * Whether every command of the plan that was stored before `seq` is answered. Asks for what it does not know, so ask it
   * once a second at most while one waits.
   * @throws ERR_UNAVAILABLE
   */
  async isFirst(planId: string, seq: number): Promise<boolean> {
    while (this.#knownTo < seq - 1) {
      this.#reading ??= this.#readOn(seq).finally(() => {
        this.#reading = undefined;
      });
      await this.#reading;
    }
    for (const earlier of [...(this.#ofPlan.get(planId) ?? [])]) {
      if (earlier >= seq) continue;
      const stored = await firstMessageFrom(this.#connection, COMMANDS_STREAM, earlier);
      if (stored?.seq === earlier) return false;
      this.answered(earlier);
    }
    return true;
  }

  /** Takes the next command of the stream that was not delivered here into account. */
  async #readOn(to: number): Promise<void> {
    if (this.#open.size >= this.#forgetAt) await this.#forget();
    const stored = await firstMessageFrom(this.#connection, COMMANDS_STREAM, this.#knownTo + 1);
    const isBetween = stored !== undefined && stored.seq < to;
    if (isBetween) this.#note(stored.seq, planOfCommand(stored.data));
    const knownTo = isBetween ? stored.seq : (stored?.seq ?? to) - 1;
    // Deliveries may have brought it further meanwhile.
    this.#knownTo = Math.max(this.#knownTo, knownTo);
    for (const seq of this.#ahead) if (seq <= this.#knownTo) this.#ahead.delete(seq);
    this.#advance();
  }

  /** Lets go of what others have answered, of which nobody tells. */
  async #forget(): Promise<void> {
    const known = [...this.#open.keys()].sort((one, other) => one - other);
    for (let index = 0; index < known.length; ) {
      const stored = await firstMessageFrom(this.#connection, COMMANDS_STREAM, known[index] ?? 0);
      const there = stored?.seq ?? Number.POSITIVE_INFINITY;
      for (; (known[index] ?? Number.POSITIVE_INFINITY) < there; index += 1) this.answered(known[index] ?? 0);
      if (known[index] === there) index += 1;
    }
    this.#forgetAt = Math.max(this.#remembered, 2 * this.#open.size);
  }

  #note(seq: number, planId: string | undefined): void {
    if (planId === undefined) return;
    this.#open.set(seq, planId);
    const ofPlan = this.#ofPlan.get(planId);
    if (ofPlan === undefined) this.#ofPlan.set(planId, new Set([seq]));
    else ofPlan.add(seq);
  }

  #advance(): void {
    while (this.#ahead.delete(this.#knownTo + 1)) this.#knownTo += 1;
  }
}
