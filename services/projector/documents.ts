import pLimit from 'p-limit';
import type { Logger } from 'pino';
import { lookEvery } from '../../shared/async/look-every.ts';
import { AdmittedPlans, type NamedDocument } from '../../shared/journal/admitted-plans.ts';
import type { AdmittedPlan } from '../../shared/plan/admitted.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { isAway } from '../../shared/world/away.ts';
import { HandBacks, type Patience } from '../common/hand-backs.ts';

const LOOK_EVERY_MS = 1_000;

/** A document that cannot be read may be one that is being put right. */
const PATIENCE: Patience = { leastMs: 500, mostMs: 60_000 };

/** Documents that a look asks for: what nobody can read must not keep the store busy. */
const A_LOOK = 16;

/** The admitted document of a plan, or why it cannot be had. */
export type AdmittedDocument =
  | { readonly plan: AdmittedPlan; readonly fault?: undefined }
  | { readonly plan?: undefined; readonly fault: string };

interface Unread extends NamedDocument {
  readonly fault: string;
  /** How often it could not be read. */
  readonly tries: number;
  /** When it is asked for again; monotonic. */
  readonly dueMs: number;
}

const faultOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error ? `${error.code}: ${error.message}` : error.message;
};

/**
 * Admitted documents, and the patience with those that cannot be read: a plan's own, so that one that the store cannot
 * give costs its own plan its steps and nobody else anything. They are asked for again beside the projection, which hears
 * of those that can be read since.
 */
export class DocumentReader {
  readonly #store: ArtifactStore;
  readonly #log: Logger;
  readonly #plans: AdmittedPlans;
  readonly #atOnce = pLimit(16);
  readonly #patience = new HandBacks({ nowMs: () => performance.now(), random: Math.random });
  /** Those that were asked for last stand last. */
  readonly #unread = new Map<string, Unread>();
  readonly #readable = new Set<string>();
  readonly #looks: { stop(): Promise<void> };

  constructor(store: ArtifactStore, log: Logger) {
    this.#store = store;
    this.#log = log;
    this.#plans = new AdmittedPlans(store);
    this.#looks = lookEvery(
      LOOK_EVERY_MS,
      () => this.#look(),
      (error) => log.error({ err: error }, 'documents that could not be read were not asked for'),
    );
  }

  /** @throws what the store says when it is away as a whole, such as ERR_UNAVAILABLE */
  async of(named: NamedDocument): Promise<AdmittedDocument> {
    const unread = this.#unread.get(named.planId);
    if (unread !== undefined && unread.dueMs > performance.now()) return { fault: unread.fault };
    return this.#atOnce(() => this.#read(named));
  }

  /** For when a plan is over. */
  forget(named: NamedDocument): void {
    this.#plans.forget(named);
  }

  /** Plans that Postgres has without their documents: each is asked for soon, however often it was before. */
  resume(plans: readonly NamedDocument[]): void {
    const news = plans.filter(({ planId }) => !this.#unread.has(planId));
    for (const named of news) this.#unread.set(named.planId, { ...named, fault: '', tries: 0, dueMs: 0 });
    if (news.length > 0) {
      this.#log.warn({ plans: news.length }, 'plans are projected without their steps: their documents are asked for');
    }
  }

  /** Plans whose documents can be read since this was last asked. */
  takeReadable(): string[] {
    const readable = [...this.#readable];
    this.#readable.clear();
    return readable;
  }

  stop(): Promise<void> {
    return this.#looks.stop();
  }

  async #read(named: NamedDocument): Promise<AdmittedDocument> {
    const { planId } = named;
    try {
      const plan = await this.#plans.of(named);
      if (this.#unread.delete(planId)) {
        this.#log.info({ plan_id: planId }, 'the admitted document can be read again: the plan has its steps');
      }
      return { plan };
    } catch (error) {
      if (await isAway(this.#store, error)) throw error;
      return { fault: this.#note(named, error) };
    }
  }

  #note(named: NamedDocument, error: unknown): string {
    const { planId, admitted } = named;
    const tries = 1 + (this.#unread.get(planId)?.tries ?? 0);
    const fault = faultOf(error);
    const dueMs = performance.now() + this.#patience.delayMs(planId, tries, PATIENCE);
    this.#unread.delete(planId);
    this.#unread.set(planId, { planId, admitted, fault, tries, dueMs });
    if (tries === 1) {
      this.#log.warn(
        { err: error, plan_id: planId, path: admitted?.admitted_path },
        'the admitted document cannot be read: the plan is projected without its steps until it can be',
      );
    }
    return fault;
  }

  async #look(): Promise<void> {
    const now = performance.now();
    const due = [...this.#unread.values()].filter(({ planId, dueMs }) => dueMs <= now && !this.#readable.has(planId));
    await Promise.all(due.slice(0, A_LOOK).map((unread) => this.#lookAt(unread)));
  }

  async #lookAt(unread: Unread): Promise<void> {
    try {
      await this.#plans.of(unread);
      // It stays due, so that the projection asks for it.
      this.#readable.add(unread.planId);
    } catch (error) {
      // A store that is away is told of by the projection, when it needs it.
      if (!(await isAway(this.#store, error))) this.#note(unread, error);
    }
  }
}
