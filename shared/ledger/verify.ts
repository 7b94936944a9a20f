import { IsomorphError, toFault } from '../errors/isomorph-error.ts';
import { checkLink } from './chain.ts';
import { decodeLine } from './decode.ts';
import type { LedgerEvent } from './events.ts';
import { Fold } from './evolve.ts';
import type { PlanState } from './state.ts';

/** One thing that is wrong with a ledger, and where. */
export interface Finding {
  /** `line 12` of an export, `message 4711` of the stream. */
  readonly place: string;
  readonly planId: string | undefined;
  readonly seq: number | undefined;
  readonly code: string;
  readonly message: string;
  readonly expected: string | undefined;
}

export interface PlanVerdict {
  readonly planId: string;
  readonly events: number;
  readonly headHash: string | null;
  readonly phase: PlanState['phase'];
  /** A chain that ends in plan.settled or plan.rejected; an open one may have been cut off. */
  readonly complete: boolean;
}

export interface Verdict {
  readonly events: number;
  readonly plans: readonly PlanVerdict[];
  readonly findings: readonly Finding[];
}

/**
 * Checks events of any number of plans as they come: form, links, hashes and the legality of every transition
 * (budget and lifecycle). Needs no server and no trust. A finding does not end the run: a broken plan is followed
 * on from the event that broke it, so that one fault is told once.
 */
export class Verifier {
  readonly #plans = new Map<string, Fold>();
  readonly #counts = new Map<string, number>();
  /** Plans whose transitions can no longer be judged, since an earlier event is wrong or missing. */
  readonly #broken = new Set<string>();
  readonly #findings: Finding[] = [];
  #events = 0;

  /** One line of an export. Returns the event when it is one. */
  line(text: string, place: string): LedgerEvent | undefined {
    let event: LedgerEvent;
    try {
      event = decodeLine(text);
    } catch (error) {
      this.report(error, place);
      return undefined;
    }
    this.event(event, place);
    return event;
  }

  event(event: LedgerEvent, place: string): void {
    this.#events += 1;
    this.#counts.set(event.plan_id, (this.#counts.get(event.plan_id) ?? 0) + 1);
    const plan = this.#plans.get(event.plan_id) ?? new Fold(event.plan_id);
    this.#plans.set(event.plan_id, plan);
    try {
      checkLink(plan.state.head, event);
      if (this.#broken.has(event.plan_id)) plan.follow(event);
      else plan.apply(event);
    } catch (error) {
      this.report(error, place, event);
      this.#broken.add(event.plan_id);
      plan.follow(event);
    }
  }

  /** Adds a finding that the caller made, such as a message that is no event. */
  report(error: unknown, place: string, event?: LedgerEvent): void {
    if (!(error instanceof IsomorphError)) throw error;
    const { code, message, expected } = toFault(error);
    this.#findings.push({ place, planId: event?.plan_id, seq: event?.seq, code, message, expected });
  }

  state(planId: string): PlanState | undefined {
    return this.#plans.get(planId)?.state;
  }

  verdict(): Verdict {
    const plans = [...this.#plans.values()].map(({ state }) => ({
      planId: state.planId,
      events: this.#counts.get(state.planId) ?? 0,
      headHash: state.head.hash,
      phase: state.phase,
      complete: state.phase === 'settled' || state.phase === 'rejected',
    }));
    return { events: this.#events, plans, findings: this.#findings };
  }
}
