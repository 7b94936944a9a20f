import type pg from 'pg';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { NamedDocument } from '../../shared/journal/admitted-plans.ts';
import { PlanCache } from '../../shared/journal/plan-cache.ts';
import { decodeLine } from '../../shared/ledger/envelope.ts';
import { beginningOf, ChainReader, type Reading } from '../../shared/ledger/reading.ts';
import { entriesOf, isOver } from '../../shared/ledger/state.ts';
import { rowsOf } from '../../shared/projection/rows.ts';
import type { Rows } from '../../shared/projection/tables.ts';
import type { DocumentReader } from './documents.ts';

/** A plan as it stands in Postgres. `rows` is undefined when it was read from its events, so its rows are not known. */
export interface Projected {
  readonly reading: Reading;
  readonly rows: Rows | undefined;
}

/** Bounds of what is kept between batches; the rest is read again from its events. */
const MAX_PLANS = 5_000;
const MAX_ROWS = 200_000;

/**
 * One plan from its rows in Postgres, verified like any other ledger.
 * @throws ERR_CHAIN_BROKEN when they are not what was written
 */
function rebuild(planId: string, lines: readonly string[]): Reading {
  const reader = new ChainReader(beginningOf(planId));
  try {
    for (const line of lines) {
      const taken = reader.take([decodeLine(line)]);
      if (taken.kind === 'foreign') throw taken.error;
    }
    return reader.reading;
  } catch (error) {
    if (!(error instanceof IsomorphError)) throw error;
    throw new IsomorphError('ERR_CHAIN_BROKEN', `isomorph.events was altered: ${error.message}`, error.place, error);
  }
}

/** States and rows of plans, between batches. */
export class Plans {
  readonly #pool: pg.Pool;
  readonly #documents: DocumentReader;
  readonly #cache = new PlanCache<Projected>({
    max: MAX_PLANS,
    maxSize: MAX_ROWS,
    sizeOf: ({ reading: { state }, rows }) => entriesOf(state) + (rows?.steps.length ?? 0),
    stateOf: ({ reading }) => reading.state,
  });

  constructor(pool: pg.Pool, documents: DocumentReader) {
    this.#pool = pool;
    this.#documents = documents;
  }

  /** Plans as of `position`; those without events are left out. */
  async load(planIds: readonly string[], position: number): Promise<ReadonlyMap<string, Projected>> {
    const found = new Map<string, Projected>();
    const unknown: string[] = [];
    for (const planId of planIds) {
      const cached = this.#cache.get(planId);
      if (cached === undefined) unknown.push(planId);
      else found.set(planId, cached);
    }
    for (const reading of await this.#read(unknown, position)) {
      found.set(reading.state.planId, { reading, rows: undefined });
    }
    return found;
  }

  /** Plans that the version which projected them could not follow: this one may. */
  async unfollowed(): Promise<string[]> {
    const { rows } = await this.#pool.query<{ plan_id: string }>(
      'select plan_id from isomorph.standings order by plan_id',
    );
    return rows.map(({ plan_id: planId }) => planId);
  }

  /** Plans that were projected without their documents, by this projector or another one. */
  async undocumented(): Promise<NamedDocument[]> {
    const { rows } = await this.#pool.query<{ plan_id: string; admitted_path: string; admitted_cid: string }>(
      'select plan_id, admitted_path, admitted_cid from isomorph.plans where document_fault is not null',
    );
    return rows.map(({ plan_id: planId, ...admitted }) => ({ planId, admitted }));
  }

  keep(planId: string, projected: Projected): void {
    this.#cache.set(planId, projected);
    if (isOver(projected.reading.state)) this.#documents.forget(projected.reading.state);
  }

  /** For when Postgres may hold something else than was believed. */
  forget(): void {
    this.#cache.clear();
  }

  /**
   * What the tables shall hold of a plan. An admitted document that cannot be read costs its steps, not the projection.
   * @throws what the store says when it is away as a whole, such as ERR_UNAVAILABLE
   */
  async rows(reading: Reading): Promise<Rows> {
    if (reading.state.admitted === undefined) return rowsOf(reading, undefined);
    const { plan, fault } = await this.#documents.of(reading.state);
    return rowsOf(reading, plan, fault);
  }

  async #read(planIds: readonly string[], position: number): Promise<Reading[]> {
    if (planIds.length === 0) return [];
    const { rows } = await this.#pool.query<{ plan_id: string; bytes: Buffer }>(
      `select plan_id, bytes from isomorph.events where plan_id = any($1) and stream_seq <= $2
       order by plan_id, seq`,
      [planIds, position],
    );
    const byPlan = new Map<string, string[]>();
    for (const { plan_id: planId, bytes } of rows) {
      const lines = byPlan.get(planId) ?? [];
      byPlan.set(planId, lines);
      lines.push(bytes.toString());
    }
    return [...byPlan].map(([planId, lines]) => rebuild(planId, lines));
  }
}
