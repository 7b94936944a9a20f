import { IsomorphError, toFault } from '../errors/isomorph-error.ts';
import { plural } from '../text/plural.ts';
import { checkHash, parseLine, type RawEvent } from './envelope.ts';
import type { LedgerEvent } from './events.ts';
import { beginningOf, ChainReader, type Reading, type Standing } from './reading.ts';
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
  /** Known, newer than this version and intact as far as its chain tells, or quarantined: then a finding says why. */
  readonly standing: Standing;
}

export interface Verdict {
  readonly events: number;
  readonly plans: readonly PlanVerdict[];
  readonly findings: readonly Finding[];
  /**
   * What this verification could not tell, in words: that there is no finding says nothing of it. From where on a plan
   * is newer, its standing says.
   */
  readonly notChecked: readonly string[];
}

/** An event that is known and legal, with its place. */
export interface Told {
  readonly event: LedgerEvent;
  readonly place: string;
}

/** One plan as it is verified. */
interface VerifiedPlan {
  readonly reader: ChainReader;
  events: number;
  lastKind: string;
  /** Whether its history was compared with its admitted document. */
  audited: boolean;
}

const NEEDS_DOCUMENT = 'what was admitted: steps and their needs, retries, amounts, inputs, paths and predicates';

const PHASE_OF_LAST: Readonly<Record<string, PlanState['phase']>> = {
  'plan.settled': 'settled',
  'plan.rejected': 'rejected',
};

/**
 * Checks events of any number of plans as they come: form, links, hashes and the legality of every transition. Needs no
 * server and no trust. A finding does not end the run: a plan is followed on from the event that broke it, so that one
 * fault is told once.
 */
export class Verifier {
  readonly #plans = new Map<string, VerifiedPlan>();
  readonly #findings: Finding[] = [];
  readonly #hear: (told: Told) => void;
  #events = 0;

  /** @param hear is told each event that is known and legal, in the order of its plan */
  constructor(hear: (told: Told) => void = () => undefined) {
    this.#hear = hear;
  }

  /** One line of an export. Returns the event when it is one. */
  line(text: string, place: string): RawEvent | undefined {
    let raw: RawEvent;
    try {
      raw = parseLine(text);
    } catch (error) {
      this.report(error, place);
      return undefined;
    }
    const plan = this.#count(raw);
    try {
      checkHash(raw, text);
      this.#take(plan, raw, place);
    } catch (error) {
      this.#broken(plan, raw, error, place);
    }
    return raw;
  }

  /**
   * One commit of the stream, decoded. One that does not link is none of the chain: it is told, and the plan goes on.
   * @returns whether it is in the chain
   */
  commit(raws: readonly RawEvent[], place: string): boolean {
    const [first] = raws;
    if (first === undefined) return false;
    const plan = this.#planOf(first.plan_id);
    const { standing: before } = plan.reader;
    const taken = plan.reader.take(raws);
    if (taken.kind === 'foreign') {
      this.report(taken.error, place, first);
      return false;
    }
    this.#plans.set(first.plan_id, plan);
    for (const raw of raws) this.#count(raw);
    for (const event of taken.events) this.#hear({ event, place });
    const { standing } = plan.reader;
    if (standing !== before && standing.kind === 'quarantined') {
      this.report(
        standing.error,
        place,
        raws.find(({ seq }) => seq === standing.seq),
      );
    }
    return true;
  }

  /** An event that was decoded: in canonical form, with the hash that it says. */
  event(raw: RawEvent, place: string): void {
    this.#take(this.#count(raw), raw, place);
  }

  #take(plan: VerifiedPlan, raw: RawEvent, place: string): void {
    const { standing: before } = plan.reader;
    const taken = plan.reader.take([raw]);
    if (taken.kind === 'foreign') {
      this.#broken(plan, raw, taken.error, place);
      return;
    }
    for (const event of taken.events) this.#hear({ event, place });
    const { standing } = plan.reader;
    if (standing !== before && standing.kind === 'quarantined') this.report(standing.error, place, raw);
  }

  /** Adds a finding that the caller made, such as a message that is no event. */
  report(error: unknown, place: string, event?: Pick<RawEvent, 'plan_id' | 'seq'>): void {
    if (!(error instanceof IsomorphError)) throw error;
    const { code, message, expected } = toFault(error);
    this.#findings.push({ place, planId: event?.plan_id, seq: event?.seq, code, message, expected });
  }

  /** Adds what a comparison of a plan with its admitted document found (`shared/plan/audit.ts`). */
  audited(planId: string, findings: readonly Finding[]): void {
    const plan = this.#plans.get(planId);
    if (plan !== undefined) plan.audited = true;
    this.#findings.push(...findings);
  }

  state(planId: string): PlanState | undefined {
    return this.reading(planId)?.state;
  }

  reading(planId: string): Reading | undefined {
    return this.#plans.get(planId)?.reader.reading;
  }

  verdict(): Verdict {
    const plans = [...this.#plans].map(([planId, { reader, events, lastKind }]): PlanVerdict => {
      const { state, head, standing } = reader.reading;
      const ended = PHASE_OF_LAST[lastKind];
      const phase = ended ?? state.phase;
      return { planId, events, headHash: head.hash, phase, complete: ended !== undefined, standing };
    });
    return { events: this.#events, plans, findings: this.#findings, notChecked: this.#notChecked() };
  }

  #notChecked(): string[] {
    const alone = [...this.#plans.values()].filter(
      ({ reader, audited }) => reader.reading.state.admitted !== undefined && !audited,
    );
    return alone.length === 0 ? [] : [`${plural(alone.length, 'plan')} against ${NEEDS_DOCUMENT}`];
  }

  #count({ plan_id: planId, kind }: RawEvent): VerifiedPlan {
    const plan = this.#planOf(planId);
    this.#plans.set(planId, plan);
    this.#events += 1;
    plan.events += 1;
    plan.lastKind = kind;
    return plan;
  }

  #planOf(planId: string): VerifiedPlan {
    return (
      this.#plans.get(planId) ?? {
        reader: new ChainReader(beginningOf(planId)),
        events: 0,
        lastKind: '',
        audited: false,
      }
    );
  }

  #broken(plan: VerifiedPlan, raw: RawEvent, error: unknown, place: string): void {
    if (!(error instanceof IsomorphError)) throw error;
    this.report(error, place, raw);
    plan.reader.follow(raw, error);
  }
}
