/** Chains as the messages of the ledger make them, by the envelope alone. Pure. */
import { canonical, cidOfText, type Json } from './canonical.ts';
import type { Stored } from './stored.ts';

export interface Event {
  readonly by: string;
  readonly data: Readonly<Record<string, Json>>;
  readonly kind: string;
  readonly plan_id: string;
  readonly prev_hash: string | null;
  readonly seq: number;
  readonly this_hash: string;
  readonly ts: string;
  readonly v: number;
}

export interface Chain {
  readonly events: Event[];
  /** The bytes of each, as they are stored. */
  readonly lines: string[];
}

export interface Foreign {
  readonly seq: number;
  readonly subject: string;
  readonly why: string;
}

function parsed(line: string): Event | string {
  let event: Event & { readonly [name: string]: Json };
  try {
    event = JSON.parse(line);
  } catch {
    return 'no JSON';
  }
  if (typeof event !== 'object' || event === null || typeof event.plan_id !== 'string') return 'no event';
  if (canonical(event) !== line) return 'not canonical';
  const { this_hash: told, ...rest } = event;
  return cidOfText(canonical(rest)) === told ? event : 'its hash is another';
}

/** Takes messages in the order of the stream. */
export class Chains {
  readonly byPlan = new Map<string, Chain>();
  readonly foreign: Foreign[] = [];

  take(messages: readonly Stored[]): void {
    for (const message of messages) {
      const why = this.#take(message);
      if (why !== undefined) this.foreign.push({ seq: message.seq, subject: message.subject, why });
    }
  }

  #take({ bytes, subject }: Stored): string | undefined {
    const lines = Buffer.from(bytes).toString('utf8').split('\n');
    const events: Event[] = [];
    for (const line of lines) {
      const event = parsed(line);
      if (typeof event === 'string') return event;
      events.push(event);
    }
    const { plan_id: planId, kind } = events.at(-1) as Event;
    if (subject !== `ledger.${planId}.${kind}`) return 'under another subject';
    const chain = this.byPlan.get(planId) ?? { events: [], lines: [] };
    let head = chain.events.at(-1);
    for (const event of events) {
      if (event.plan_id !== planId) return 'events of several plans';
      if (event.seq !== (head?.seq ?? 0) + 1 || event.prev_hash !== (head?.this_hash ?? null)) return 'does not link';
      if (head !== undefined && event.ts < head.ts) return 'before the event in front of it';
      head = event;
    }
    chain.events.push(...events);
    chain.lines.push(...lines);
    this.byPlan.set(planId, chain);
    return undefined;
  }
}
