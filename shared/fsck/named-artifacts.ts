import { unreachable } from '../errors/isomorph-error.ts';
import type { LedgerEvent } from '../ledger/events.ts';

/** What an event says of one artifact. */
interface Naming {
  readonly path: string;
  readonly cid: string;
  /** Where the event tells them. */
  readonly sha256?: string;
  /** Bytes. */
  readonly size?: number;
}

/** An artifact and the first event that names it. */
export interface NamedArtifact extends Naming {
  readonly planId: string;
  readonly seq: number;
}

/** Every artifact that an event names with its CID. */
export function namedArtifacts(event: LedgerEvent): Naming[] {
  switch (event.kind) {
    case 'plan.submitted':
      return [{ path: event.data.plan_path, cid: event.data.plan_cid }];
    case 'plan.admitted':
      return [{ path: event.data.admitted_path, cid: event.data.admitted_cid }];
    case 'execution.started':
      return Object.values(event.data.inputs);
    case 'execution.settled':
      return [{ path: event.data.receipt_path, cid: event.data.receipt_cid }];
    case 'artifact.written': {
      const { path, cid, sha256, size } = event.data;
      return [{ path, cid, sha256, size }];
    }
    case 'scratch.sampled':
      return [{ path: event.data.path, cid: event.data.cid }];
    case 'plan.rejected':
    case 'plan.cancel_requested':
    case 'plan.settled':
    case 'lease.declared':
    case 'budget.reserved':
    case 'budget.settled':
    case 'execution.scheduled':
    case 'execution.succeeded':
    case 'execution.failed':
    case 'execution.lost':
    case 'predicate.checked':
    case 'scratch.queue.published':
    case 'scratch.queue.retry':
    case 'scratch.queue.deadletter':
    case 'scratch.kv.changed':
    case 'streams.sampled':
      return [];
    default:
      return unreachable(event);
  }
}
