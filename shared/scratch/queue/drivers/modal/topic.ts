import { LRUCache } from 'lru-cache';
import pLimit from 'p-limit';
import { CellChain } from '../../../../providers/modal/cells.ts';
import type { ModalDict } from '../../../../providers/modal/dict.ts';
import type { QueueStats } from '../../queue.ts';
import { deadTopic, isDeadTopic } from '../../topic.ts';
import type { Lease, Leases } from './leases.ts';
import { dueOf, isAnnounced, messageKey, parseStep, type Step, stepPrefix, type Ticket } from './message.ts';

/** Calls in flight at once, of one scan. */
const PARALLEL = 16;
const KNOWN_STEPS = 50_000;
/** A scan may take this part of the time at most, however large the plan's Dict is. */
const SCAN_SHARE = 0.1;
const SCAN_LEAST_MS = 250;
/** A ticket is written right after its step; by then it was lost, or there is none because of a delay. */
const TICKET_DUE_MS = 1_000;
/** What stands ready for so long has lost its ticket, or waits in a long queue where a second one does no harm. */
const TICKET_LOST_MS = 60_000;
/** Steps that outlived their message, since who acked it was killed, are removed so long after it was ready first. */
const LITTER_MS = 600_000;

/** What a message is at, by its last step. */
export interface MessageState {
  readonly id: string;
  readonly n: number;
  readonly step: Step | undefined;
}

/** What a look at all messages of a topic found. */
interface Found {
  readonly claimable: readonly MessageState[];
  readonly leased: number;
  readonly delayed: number;
  /** Acked or dead, but still there: whoever did it was killed. */
  readonly unfinished: readonly MessageState[];
  readonly deadLetters: number;
  /** Neither yet, with the time when they can be claimed. */
  readonly waiting: Waiter[];
}

interface Waiter {
  readonly standing: MessageState;
  readonly dueMs: number;
}

/** One topic of a plan as its Dict tells it: the truth, which tickets only announce. */
export class ModalTopic {
  readonly name: string;
  readonly dict: ModalDict;
  readonly leases: Leases;
  /** Claimable and surely not announced any more. */
  readonly overdue: Ticket[] = [];
  /** Claimable, but perhaps announced by a ticket too. */
  readonly backlog: Ticket[] = [];
  /** What was known to be claimable turned out not to be: a scan would tell. */
  isStale = false;
  /** What the last scan saw leased or delayed: when that is over it can be claimed, if its step is still the last. */
  #waiting: Waiter[] = [];
  /** Steps never change: each is read once. */
  readonly #steps = new LRUCache<string, Step>({ max: KNOWN_STEPS });
  #scannedMs = Number.NEGATIVE_INFINITY;
  #tookMs = 0;

  constructor(name: string, dict: ModalDict, leases: Leases) {
    this.name = name;
    this.dict = dict;
    this.leases = leases;
  }

  cellsOf(id: string): CellChain<Step> {
    return new CellChain(this.dict, stepPrefix(this.name, id), parseStep);
  }

  /** Deliveries that were lost are looked for twice in a visibility timeout, even while tickets keep coming. */
  isScanDue(visibilityMs: number): boolean {
    return this.isScanAffordable() && performance.now() - this.#scannedMs >= visibilityMs / 2;
  }

  /** Whether the last scan is long enough ago for what it cost. */
  isScanAffordable(): boolean {
    return performance.now() - this.#scannedMs >= Math.max(SCAN_LEAST_MS, this.#tookMs / SCAN_SHARE);
  }

  /** Looks at everything and remembers what can be claimed. Answers what somebody else's death left unfinished. */
  async scan(): Promise<readonly MessageState[]> {
    const startedMs = performance.now();
    const { claimable, unfinished, waiting } = await this.#look();
    this.#scannedMs = performance.now();
    this.#tookMs = this.#scannedMs - startedMs;
    const nowMs = Date.now();
    this.#waiting = waiting;
    this.isStale = false;
    // In an order of its own for each client, so that they do not all try the same message first.
    const shuffled = claimable.map((standing) => ({ standing, at: Math.random() })).sort((a, b) => a.at - b.at);
    const standings = shuffled.map(({ standing }) => standing);
    this.overdue.splice(0, this.overdue.length, ...standings.filter((one) => isOverdue(one, nowMs)).map(toTicket));
    this.backlog.splice(0, this.backlog.length, ...standings.filter((one) => !isOverdue(one, nowMs)).map(toTicket));
    return unfinished;
  }

  /** Moves what became due since the last scan to `overdue`; answers when the next will, as Unix ms. */
  takeDue(): number {
    const nowMs = Date.now();
    const due = this.#waiting.filter(({ dueMs }) => dueMs <= nowMs);
    if (due.length > 0) this.#waiting = this.#waiting.filter(({ dueMs }) => dueMs > nowMs);
    this.overdue.push(...due.map(({ standing }) => toTicket(standing)));
    return this.#waiting.reduce((least, { dueMs }) => Math.min(least, dueMs), Number.POSITIVE_INFINITY);
  }

  /**
   * Makes what a consumer noted and let run out claimable, as far as the steps say so: the note was written before the claim,
   * so it may never have come to that (its ticket is gone with it), or somebody else was first and has it for longer.
   */
  async takeOver(noted: readonly Lease[]): Promise<void> {
    const limit = pLimit(PARALLEL);
    const steps = await Promise.all(noted.map((lease) => limit(() => this.#step(lease.id, lease.n))));
    const nowMs = Date.now();
    for (const [index, { id, n, d }] of noted.entries()) {
      const step = steps[index];
      if (step === undefined) this.overdue.push({ id, n: n - 1, d: d - 1 });
      else if (step.is !== 'leased') continue;
      else if (step.x <= nowMs) this.overdue.push({ id, n, d: step.d });
      else this.#waiting.push({ standing: { id, n, step }, dueMs: step.x });
    }
  }

  async stats(): Promise<QueueStats> {
    const { claimable, leased, delayed, deadLetters } = await this.#look();
    return { ready: claimable.length, inFlight: leased, delayed, dead: deadLetters };
  }

  /** It is no scan when `stats` asks: what it finds is not remembered, so the next scan is due all the same. */
  async #look(): Promise<Found> {
    const { heads, litter, deadLetters } = await this.#list();
    const limit = pLimit(PARALLEL);
    const standings = await Promise.all(
      [...heads].map(([id, n]) => limit(async (): Promise<MessageState> => ({ id, n, step: await this.#step(id, n) }))),
    );
    await Promise.all([...litter].map(([id, steps]) => limit(() => this.#clear(id, steps))));
    return { ...sort(standings, Date.now()), deadLetters };
  }

  /** The messages that are there, each with its last step; and steps without a message. */
  async #list() {
    const [messages, steps, dead] = [
      messageKey(this.name, ''),
      `s:${this.name}:`,
      messageKey(deadTopic(this.name), ''),
    ];
    const heads = new Map<string, number>();
    const reached = new Map<string, number[]>();
    let deadLetters = 0;
    for (const key of await this.dict.keys()) {
      if (key.startsWith(messages)) heads.set(key.slice(messages.length), 0);
      else if (key.startsWith(dead)) deadLetters++;
      else if (key.startsWith(steps)) {
        const [id = '', n] = key.slice(steps.length).split(':');
        reached.set(id, [...(reached.get(id) ?? []), Number(n)]);
      }
    }
    const litter = new Map<string, number[]>();
    for (const [id, numbers] of reached) {
      if (heads.has(id)) heads.set(id, Math.max(...numbers));
      else if (Date.now() - dueOf(id) > LITTER_MS) litter.set(id, numbers);
    }
    return { heads, litter, deadLetters: isDeadTopic(this.name) ? 0 : deadLetters };
  }

  async #step(id: string, n: number): Promise<Step | undefined> {
    if (n === 0) return undefined;
    const key = `${id}:${n}`;
    const known = this.#steps.get(key);
    if (known !== undefined) return known;
    const step = await this.cellsOf(id).read(n);
    if (step !== undefined) this.#steps.set(key, step);
    return step;
  }

  async #clear(id: string, numbers: readonly number[]): Promise<void> {
    // A list is no snapshot; steps are only ever written after their message, which never comes back.
    if (await this.dict.contains(messageKey(this.name, id))) return;
    for (const n of numbers) await this.cellsOf(id).remove(n);
  }
}

const toTicket = ({ id, n, step }: MessageState): Ticket => ({ id, n, d: step?.d ?? 0 });

/** Whether no ticket announces it, or none will in good time. */
function isOverdue({ id, step }: MessageState, nowMs: number): boolean {
  if (step === undefined) return isAnnounced(id) ? nowMs - dueOf(id) > TICKET_LOST_MS : true;
  return step.is === 'ready' ? nowMs - step.x > TICKET_DUE_MS : true;
}

function sort(standings: readonly MessageState[], nowMs: number): Omit<Found, 'deadLetters'> {
  const claimable: MessageState[] = [];
  const unfinished: MessageState[] = [];
  const counts = { leased: 0, delayed: 0 };
  const waiting: Waiter[] = [];
  for (const standing of standings) {
    const { id, n, step } = standing;
    // Its step vanished while it was looked at: somebody finished the message.
    if (n > 0 && step === undefined) continue;
    if (step?.is === 'acked' || step?.is === 'dead') {
      unfinished.push(standing);
      continue;
    }
    const dueMs = step?.x ?? dueOf(id);
    if (dueMs <= nowMs) claimable.push(standing);
    else {
      counts[step?.is === 'leased' ? 'leased' : 'delayed']++;
      waiting.push({ standing, dueMs });
    }
  }
  return { claimable, unfinished, waiting, ...counts };
}
