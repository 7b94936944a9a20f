import { delay } from '../../../async/delay.ts';
import { unreachable } from '../../../errors/isomorph-error.ts';
import type { Offer } from '../../../wire/workers.ts';
import type { KnownWorker, WorkerDirectory } from './directory.ts';
import type { WorkerLine } from './line.ts';
import type { WorkerRun } from './run.ts';

/** What an offer needs to find its worker. */
export interface Offering {
  readonly directory: WorkerDirectory;
  lineTo(namespace: string, id: string): WorkerLine;
  /** Runs of this dispatcher that a worker has. */
  running(id: string): number;
  readonly unservedMs: number;
  readonly lostMs: number;
}

/** Between looks for a worker with a free slot. */
const LOOK_AGAIN_MS = 100;

/** Without the time that is left: that of each offer is its own. */
export type Offered = Omit<Offer, 'timeout_ms'>;

/**
 * Offers a run to one worker after another, until one accepts it or the run has ended. Who may have accepted it without its answer
 * being heard is asked again and nobody else: of two that have it, both would run it.
 */
export async function offerUntilTaken(run: WorkerRun, offer: Offered, offering: Offering): Promise<void> {
  const { directory, unservedMs, running } = offering;
  let servedMs = performance.now();
  while (!run.signal.aborted) {
    let serving = directory.serving(run.ref);
    if (serving.length === 0) {
      await directory.ask();
      serving = directory.serving(run.ref);
    }
    if (serving.length > 0) servedMs = performance.now();
    else if (performance.now() - servedMs > unservedMs) {
      return run.end({ kind: 'not_started', reason: `no worker announces ${run.ref}` });
    }
    const load = new Map(serving.map((worker) => [worker, running(worker.id) / worker.slots]));
    const free = serving.filter((worker) => (load.get(worker) ?? 0) < 1);
    for (const worker of free.sort((one, other) => (load.get(one) ?? 0) - (load.get(other) ?? 0))) {
      await offerTo(worker, run, offer, offering);
      if (run.isAccepted || run.signal.aborted) return;
    }
    await delay(LOOK_AGAIN_MS, run.signal).catch(() => undefined);
  }
}

/** Until it is known whether this worker has it. */
async function offerTo(worker: KnownWorker, run: WorkerRun, offer: Offered, offering: Offering): Promise<void> {
  const { directory, lineTo, lostMs } = offering;
  const line = lineTo(worker.namespace, worker.id);
  run.offeredOn(line);
  const sinceMs = performance.now();
  let isMaybeThere = false;
  while (performance.now() - sinceMs < lostMs) {
    const answer = await line.offer({ ...offer, timeout_ms: run.timeoutMs });
    // Its end may have come before the answer.
    if (run.signal.aborted) return;
    switch (answer.answer) {
      case 'accepted':
        return run.accepted(answer.by);
      case 'busy':
        return run.refused();
      case 'unknown':
        directory.deny(worker, run.ref);
        return run.refused();
      case 'too large':
        return run.end({ kind: 'not_started', reason: 'its job is larger than what NATS carries to a worker' });
      case 'silent':
        isMaybeThere = true;
        break;
      case 'gone':
        if (isMaybeThere) break;
        directory.drop(worker);
        return run.refused();
      default:
        return unreachable(answer);
    }
    await delay(LOOK_AGAIN_MS, run.signal).catch(() => undefined);
  }
  run.end({ kind: 'lost', reason: 'its worker does not say whether it has it' });
}
