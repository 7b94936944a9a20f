import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { IsomorphError } from '../shared/errors/isomorph-error.ts';
import { type Cid, cidOf } from '../shared/hash/cid.ts';
import type { EventData } from '../shared/ledger/events.ts';
import { type Told, type Verdict, Verifier } from '../shared/ledger/verify.ts';
import { parseAdmitted } from '../shared/plan/admitted-form.ts';
import { audit } from '../shared/plan/audit.ts';
import type { Context } from './context.ts';
import { unreadable } from './local-file.ts';

/**
 * The bytes of an admitted document, by what the ledger says of it.
 * @throws ERR_NOT_FOUND, ERR_CID_MISMATCH when it is not where it should be
 */
export type Documents = (admitted: EventData<'plan.admitted'>) => Promise<Uint8Array>;

/** From the World. */
export const worldDocuments =
  (context: Context): Documents =>
  async ({ admitted_path: worldPath, admitted_cid: expectedCid }) =>
    (await context.store()).getBytes({ worldPath, expectedCid: expectedCid as Cid });

/** From a file that holds the document of one plan: its CID says of which. */
export const fileDocument = (context: Context, file: string): Documents => {
  const read = readFile(path.resolve(context.terminal.cwd, file)).catch((error: Error) => {
    throw unreadable(file, error);
  });
  // Awaited when the first plan asks for it.
  read.catch(() => undefined);
  return async ({ admitted_cid: expected }) => {
    const bytes = await read;
    const cid = cidOf(bytes);
    if (cid === expected) return bytes;
    throw new IsomorphError('ERR_CID_MISMATCH', `${file} is not what was admitted: it has ${cid}`, { expected });
  };
};

/**
 * A verification that compares each plan with its admitted document, when it is told where the documents are. It holds
 * the history of a plan until the plan has ended.
 */
export class AuditedLedger {
  readonly verifier: Verifier;
  readonly #documents: Documents | undefined;
  readonly #histories = new Map<string, Told[]>();
  readonly #ended = new Set<string>();

  constructor(documents: Documents | undefined) {
    this.#documents = documents;
    this.verifier = new Verifier(documents === undefined ? undefined : (told) => this.#hear(told));
  }

  /** Compares the plans that have ended, and forgets them: call it now and then. */
  async proceed(): Promise<void> {
    for (const planId of this.#ended) await this.#audit(planId);
    this.#ended.clear();
  }

  async verdict(): Promise<Verdict> {
    for (const planId of [...this.#histories.keys()]) await this.#audit(planId);
    return this.verifier.verdict();
  }

  #hear(told: Told): void {
    const { plan_id: planId, kind } = told.event;
    const history = this.#histories.get(planId);
    if (history === undefined) this.#histories.set(planId, [told]);
    else history.push(told);
    if (kind === 'plan.settled') this.#ended.add(planId);
  }

  async #audit(planId: string): Promise<void> {
    const history = this.#histories.get(planId) ?? [];
    this.#histories.delete(planId);
    const admitted = history.find(({ event }) => event.kind === 'plan.admitted');
    if (this.#documents === undefined || admitted?.event.kind !== 'plan.admitted') return;
    try {
      const plan = parseAdmitted(await this.#documents(admitted.event.data));
      this.verifier.audited(planId, audit(plan, history));
    } catch (error) {
      // Whoever cannot ask cannot judge; anything else is said of this plan.
      if (!(error instanceof IsomorphError) || error.retryable) throw error;
      this.verifier.report(error, admitted.place, admitted.event);
    }
  }
}
