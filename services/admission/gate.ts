/** Takes no more than the limits allow, and tells of limits that are near. */
import type { Logger } from 'pino';
import { TOLD_SHARE } from '../../shared/async/limit-notice.ts';
import { OnceAMinute } from '../../shared/async/once-a-minute.ts';
import type { Fault } from '../../shared/errors/isomorph-error.ts';
import { LIMITS } from '../common/config/limits.ts';
import { type Circumstances, inAll, keptBytes, refusesPlan, refusesRejection, sharesOf } from './quotas.ts';
import { Tally, type TallyOptions } from './tally.ts';
import { endBytesOf } from './usage.ts';

/** From this much of a limit on each plan is counted exactly; below it what others admitted in the last second may be missing. */
const NEAR_SHARE = 0.5;

export interface GateOptions extends TallyOptions {
  readonly log: Logger;
}

/** The place of a plan that is about to be admitted, or of a rejection that is about to be recorded. */
export interface PlaceInLine {
  /** It was not admitted. One that was is counted from the ledger, and needs no release. */
  release(): void;
}

export class Gate {
  readonly #log: Logger;
  readonly #tally: Tally;
  readonly #often = new OnceAMinute();

  constructor({ log, ...options }: GateOptions) {
    this.#log = log;
    this.#tally = new Tally(options);
  }

  /** Why no plan of the principal is taken now; undefined when one may be. @throws ERR_UNAVAILABLE */
  async refusesPlan(principal: string): Promise<Fault | undefined> {
    return this.#told(principal, refusesPlan(await this.#circumstances(principal)));
  }

  /**
   * Holds the place of a rejection until it is recorded, or why it is only told to its sender.
   * @param bytes of the plan
   * @throws ERR_UNAVAILABLE
   */
  async takeRejection(principal: string, bytes: number, first: Fault | undefined): Promise<PlaceInLine | Fault> {
    const circumstances = await this.#circumstances(principal);
    const refused = this.#told(principal, refusesRejection(circumstances, first));
    if (refused !== undefined) return refused;
    circumstances.usage.claimRejection(principal, bytes);
    return {
      release: () => {
        // Until the ledger is looked at it would count for nothing.
        this.#tally.wrote();
        circumstances.usage.releaseRejection(principal, bytes);
      },
    };
  }

  /** Holds the place of a plan until the ledger has it, or why there is none: of those who are judged at once each counts. */
  async take(
    planId: string,
    principal: string,
    size: { readonly steps: number; readonly predicates: number },
  ): Promise<PlaceInLine | Fault> {
    const circumstances = await this.#circumstances(principal);
    const endBytes = endBytesOf(size);
    const refused = this.#told(principal, refusesPlan(circumstances, endBytes));
    if (refused !== undefined) return refused;
    const { usage } = circumstances;
    const isOurs = usage.claim(planId, { principal, endBytes });
    return { release: () => (isOurs ? usage.release(planId) : undefined) };
  }

  async #circumstances(principal: string): Promise<Circumstances> {
    await this.#tally.recent();
    const known = this.#known(principal);
    if (!this.#isNear(known)) return known;
    await this.#tally.look();
    return this.#known(principal);
  }

  #known(principal: string): Circumstances {
    const { usage, limits, ledger } = this.#tally;
    return { usage, limits, ledger, principal };
  }

  #isNear(circumstances: Circumstances): boolean {
    const { ledger } = circumstances;
    if (sharesOf(circumstances).some(({ used, most }) => used >= most * NEAR_SHARE)) return true;
    return ledger.bytes + keptBytes(ledger, inAll(circumstances)) >= ledger.limitBytes * NEAR_SHARE;
  }

  #told(principal: string, refused: Fault | undefined): Fault | undefined {
    for (const { limit, used, most, principal: of } of sharesOf(this.#known(principal))) {
      if (used < most * TOLD_SHARE) continue;
      const about = { limit: LIMITS[limit].name, used, most, ...(of === undefined ? {} : { principal: of }) };
      this.#tell(`${limit} ${of} ${used >= most}`, about, used >= most ? 'a limit is hit' : 'a limit is near');
    }
    if (refused?.code === 'ERR_LEDGER_FULL') this.#tell(refused.code, { ...refused }, 'the ledger takes no new plan');
    return refused;
  }

  #tell(what: string, about: object, message: string): void {
    const times = this.#often.due(what);
    if (times !== undefined) this.#log.warn({ ...about, times }, message);
  }
}
