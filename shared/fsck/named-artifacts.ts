import type { EventData, EventKind, LedgerEvent } from '../ledger/events.ts';

/** What an event says of one artifact. */
interface Naming {
  readonly path: string;
  readonly cid: string;
  /** Where the event tells them. */
  readonly sha256?: string;
  /** Bytes. */
  readonly size?: number;
  /** The event says itself that the store did not take it: a receipt of a plan that had to end. */
  readonly isOwed?: boolean;
}

/** An artifact and the first event that names it. */
export interface NamedArtifact extends Naming {
  readonly planId: string;
  readonly seq: number;
}

type CidField = 'inputs' | 'cid' | `${string}_cid`;

/** Kinds whose data holds a CID: a new one that does is asked for below. */
type NamingKind = {
  [K in EventKind]: Extract<keyof EventData<K>, CidField> extends never ? never : K;
}[EventKind];

const NAMINGS: { readonly [K in NamingKind]: (data: EventData<K>) => Naming[] } = {
  'plan.submitted': (data) => [{ path: data.plan_path, cid: data.plan_cid }],
  'plan.admitted': (data) => [{ path: data.admitted_path, cid: data.admitted_cid }],
  'execution.started': (data) => Object.values(data.inputs),
  'execution.settled': (data) => [{ path: data.receipt_path, cid: data.receipt_cid, isOwed: !data.receipt_stored }],
  'artifact.written': ({ path, cid, sha256, size }) => [{ path, cid, sha256, size }],
  'scratch.sampled': ({ path, cid }) => [{ path, cid }],
};

/** Every artifact that an event names with its CID. */
export function namedArtifacts(event: LedgerEvent): Naming[] {
  if (!Object.hasOwn(NAMINGS, event.kind)) return [];
  // Sound because the table has a function of each kind's own data.
  return (NAMINGS[event.kind as NamingKind] as (data: unknown) => Naming[])(event.data);
}
