/** Histories with one illegal step, hashed again from there: well linked, and impossible. */
import { EMPTY_HEAD, headOf, seal } from '../../shared/ledger/chain.ts';
import { hashEvent } from '../../shared/ledger/envelope.ts';
import type { Draft, LedgerEvent, LedgerWriter } from '../../shared/ledger/events.ts';
import { LEDGER_WRITERS } from '../../shared/ledger/events.ts';
import { START_MS } from './plan-history.ts';

/** What an event says, without its place in a chain. */
export interface Deed {
  readonly by: LedgerWriter;
  readonly draft: Draft;
  /** Of its kind; the newest where it does not say. */
  readonly v?: number;
}

export const deedsOf = (events: readonly LedgerEvent[]): Deed[] =>
  events.map(({ by, kind, data }) => ({ by, draft: { kind, data } as Draft }));

function inVersion({ this_hash: _, ...open }: LedgerEvent, v: number): LedgerEvent {
  const other = { ...open, v };
  return { ...other, this_hash: hashEvent(other) } as LedgerEvent;
}

/** Deeds as a chain that links and hashes, whatever they say. */
export function chained(planId: string, deeds: readonly Deed[]): LedgerEvent[] {
  const events: LedgerEvent[] = [];
  for (const { by, draft, v } of deeds) {
    const last = events.at(-1);
    const [event] = seal(last ? headOf(last) : EMPTY_HEAD, [draft], { planId, by, nowMs: START_MS + events.length });
    if (event !== undefined) events.push(v === undefined ? event : inVersion(event, v));
  }
  return events;
}

/** Changes of one field, by its name, to something that its schema accepts. */
export const CHANGES: Readonly<Record<string, (value: never, n: number) => unknown>> = {
  execution_id: (id: string, n) =>
    n % 2 === 0 ? id.replace(/\d+$/, (digits) => `${Number(digits) + 1}`) : `other.${id}`,
  attempt: (attempt: number, n) => attempt + 1 + (n % 2),
  step_id: () => 'elsewhere',
  retryable: (retryable: boolean) => !retryable,
  ok: (ok: boolean) => !ok,
  status: (_: string, n) => ['succeeded', 'failed', 'cancelled'][n % 3],
  spent_usd_micro: (spent: number) => spent + 1,
  usd_micro: (amount: number) => amount + 100_000,
  actual_usd_micro: (amount: number) => amount + 100_000,
  reserved_usd_micro: (amount: number) => amount + 1,
  receipt_cid: () => `blake3:${'9'.repeat(64)}`,
  receipt_path: (path: string) => `${path}x`,
  receipt_stored: (isStored: boolean) => !isStored,
  cid: () => `blake3:${'8'.repeat(64)}`,
  reason: (reason: string) => (reason === 'client' ? 'deadline' : 'client'),
  fact_id: () => 'f0',
  command_seq: (_: number, n) => n % 2,
  principal: (_: string, n) => (n % 2 === 0 ? '_' : 'somebody'),
  plan_path: (path: string, n) =>
    n % 2 === 0 ? path.replace('/plan/', '/other/') : path.replace('.json', '-0123456789abcdef.json'),
  admitted_path: (path: string) => path.replace('/plans/', '/inputs/'),
  path: (path: string, n) => (n % 2 === 0 ? path.replace('/plan/', '/other/') : `${path}.x`),
  faults: (_: unknown, n) => [{ code: n % 2 === 0 ? 'ERR_EXIT' : 'ERR_UNAVAILABLE', message: 'it is told' }],
  steps: (steps: number) => steps + 1,
  predicates: (predicates: number) => predicates + 1,
};

function changeField(deed: Deed, n: number): Deed {
  const fields = Object.keys(deed.draft.data).filter((field) => Object.hasOwn(CHANGES, field));
  const field = fields[n % Math.max(1, fields.length)];
  if (field === undefined) return deed;
  const data = deed.draft.data as Readonly<Record<string, unknown>>;
  const changed = CHANGES[field]?.(data[field] as never, n);
  return { ...deed, draft: { kind: deed.draft.kind, data: { ...data, [field]: changed } } as Draft };
}

/** One of the ways in which a history can be told wrong; not every telling is illegal. */
export function tampered(deeds: readonly Deed[], how: number, at: number, n: number): readonly Deed[] {
  const place = at % deeds.length;
  const deed = deeds[place] as Deed;
  switch (how % 5) {
    case 0:
      return deeds.toSpliced(place, 1);
    case 1:
      return deeds.toSpliced(n % (deeds.length + 1), 0, deed);
    case 2:
      return deeds.with(place, changeField(deed, n));
    case 3:
      return deeds.with(place, { ...deed, by: LEDGER_WRITERS[n % LEDGER_WRITERS.length] ?? 'sampler' });
    default:
      return deeds.toSpliced(place, 1).toSpliced(n % deeds.length, 0, deed);
  }
}
