import type { EventData, LedgerEvent } from '../shared/ledger/events.ts';
import type { FollowItem } from './follow.ts';
import type { ShownFault } from './render/error.ts';

/** How a plan that was followed ended. */
export type PlanEnd =
  | { readonly status: 'succeeded' | 'failed' | 'cancelled' | 'rejected' }
  | { readonly status: 'refused'; readonly fault: ShownFault }
  /** Ctrl-C: the plan goes on, nobody watches. */
  | { readonly status: 'unwatched' };

/** A submission whose answer is awaited. */
export interface Submitted {
  readonly planCid: string;
  /** Of the command in COMMANDS. */
  readonly commandSeq: number;
}

/** What an item says to who waits for an answer. */
export interface Said {
  /** False for the rejection of another command, which gave the id back. */
  readonly isOurs: boolean;
  readonly end?: PlanEnd;
}

const OURS: Said = { isOurs: true };

/**
 * Hears what happens to a plan as the answer to one submission of it. The chain may begin with commands that were
 * rejected before, and may be that of another body: then admission refuses ours, and what happens in it is no answer.
 */
export class SubmissionAnswer {
  readonly #submitted: Submitted;
  #current: EventData<'plan.submitted'> | undefined;

  constructor(submitted: Submitted) {
    this.#submitted = submitted;
  }

  hear(item: FollowItem): Said {
    if (item.kind === 'refused') {
      const { fault, commandSeq = this.#submitted.commandSeq } = item;
      // Whoever commands under the same name may send another one of the same plan.
      if (commandSeq !== this.#submitted.commandSeq) return { isOurs: false };
      return { isOurs: true, end: { status: 'refused', fault } };
    }
    if (item.kind !== 'commit') return OURS;
    for (const event of item.events) {
      const said = this.#event(event);
      if (said !== OURS) return said;
    }
    return OURS;
  }

  #event(event: LedgerEvent): Said {
    const { planCid, commandSeq } = this.#submitted;
    switch (event.kind) {
      case 'plan.submitted':
        this.#current = event.data;
        return OURS;
      case 'plan.rejected':
        if (this.#current?.command_seq !== commandSeq) return { isOurs: false };
        return { isOurs: true, end: { status: 'rejected' } };
      case 'plan.admitted': {
        if (this.#current?.plan_cid === planCid) return OURS;
        const message = `plan ${event.plan_id} exists with another body`;
        const fault = { code: 'ERR_PLAN_CONFLICT', message, pointer: '/plan_id', expected: 'a new plan_id' };
        return { isOurs: false, end: { status: 'refused', fault } };
      }
      case 'plan.settled':
        return { isOurs: true, end: { status: event.data.status } };
      default:
        return OURS;
    }
  }
}
