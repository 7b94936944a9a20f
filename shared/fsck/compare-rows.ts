import type pg from 'pg';
import { IsomorphError } from '../errors/isomorph-error.ts';
import { AdmittedPlans } from '../journal/admitted-plans.ts';
import type { Reading } from '../ledger/reading.ts';
import { transaction } from '../projection/postgres.ts';
import { rowsOf } from '../projection/rows.ts';
import { decodeStored, selectList } from '../projection/sql.ts';
import {
  type AnyRow,
  columnsOf,
  encodeCell,
  keyColumns,
  type Rows,
  TABLE_NAMES,
  type TableName,
} from '../projection/tables.ts';
import type { ArtifactStore } from '../world/artifact-store.ts';
import { isAway } from '../world/away.ts';
import { cellFinding, differences, type EncodedRow, extraRow, type Findings, missingRow, pick } from './finding.ts';
import type { LedgerReader } from './ledger-reader.ts';

/** Plans that are compared at once. */
const CHUNK = 100;

/** Plan ids above one and up to another; null is no bound. */
interface Range {
  readonly above: string | null;
  readonly upTo: string | null;
}

type Stored = Readonly<Record<string, string | null>>;

/** Rows of a range of plans as they were at one instant. */
interface StoredRows {
  readonly position: number;
  readonly rows: ReadonlyMap<TableName, readonly Stored[]>;
}

function rangesOf(planIds: readonly string[]): Range[] {
  const ranges: Range[] = [];
  let above: string | null = null;
  for (let at = CHUNK - 1; at < planIds.length - 1; at += CHUNK) {
    const upTo = planIds[at] ?? null;
    ranges.push({ above, upTo });
    above = upTo;
  }
  return [...ranges, { above, upTo: null }];
}

const inRange = (planId: string, { above, upTo }: Range): boolean =>
  (above === null || planId > above) && (upTo === null || planId <= upTo);

/** One short transaction: the rows and the position that they belong to. */
const readSnapshot = (pool: pg.Pool, { above, upTo }: Range): Promise<StoredRows> =>
  transaction(pool, async (client) => {
    await client.query('set transaction isolation level repeatable read, read only');
    const position = await client.query<{ stream_seq: string }>('select stream_seq from isomorph.position');
    const rows = new Map<TableName, readonly Stored[]>();
    for (const table of TABLE_NAMES) {
      const found = await client.query<Stored>(
        `select ${selectList(columnsOf(table))} from isomorph.${table}
         where ($1::text is null or plan_id > $1) and ($2::text is null or plan_id <= $2)`,
        [above, upTo],
      );
      rows.set(table, found.rows);
    }
    return { position: Number(position.rows[0]?.stream_seq ?? 0), rows };
  });

const encodeRow = (table: TableName, row: AnyRow): EncodedRow =>
  new Map(columnsOf(table).map(([name, type]) => [name, encodeCell(type, row[name] ?? null)]));

const decodeRow = (table: TableName, row: Stored): EncodedRow =>
  new Map(columnsOf(table).map(([name, type]) => [name, decodeStored(type, row[name] ?? null)]));

const keyOf = (table: TableName, cells: EncodedRow): Record<string, string> => pick(cells, keyColumns(table));

const byKey = (table: TableName, rows: readonly EncodedRow[]): Map<string, EncodedRow> =>
  new Map(rows.map((cells) => [JSON.stringify(keyOf(table, cells)), cells]));

/** What is expected of one plan. */
interface Expected {
  readonly rows: Rows;
  /** False when the admitted document could not be read, now or by the projector: what it says is not compared then. */
  readonly whole: boolean;
}

/** What only the admitted document tells of a plan, beside its steps. */
const OF_DOCUMENT: ReadonlySet<string> = new Set(['title', 'document_fault']);

/** Compares all tables that are derived from states of plans with what the ledger says now. */
export class RowComparison {
  readonly #pool: pg.Pool;
  readonly #store: ArtifactStore;
  readonly #documents: AdmittedPlans;
  readonly #findings: Findings;
  #rows = 0;

  constructor(pool: pg.Pool, store: ArtifactStore, findings: Findings) {
    this.#pool = pool;
    this.#store = store;
    this.#documents = new AdmittedPlans(store);
    this.#findings = findings;
  }

  /** Rows that were compared. */
  get rows(): number {
    return this.#rows;
  }

  /**
   * Plan after plan, each as of the position that Postgres has when its rows are read: projecting may go on meanwhile.
   * @param reader at the position or before it
   */
  async run(reader: LedgerReader, onProgress: (rows: number) => void): Promise<void> {
    const planIds = reader.verifier
      .verdict()
      .plans.map(({ planId }) => planId)
      .sort();
    for (const range of rangesOf(planIds)) {
      const snapshot = await readSnapshot(this.#pool, range);
      if (snapshot.position < reader.lastSeq) {
        throw new IsomorphError('ERR_UNAVAILABLE', 'the projection was set back while it was checked');
      }
      await reader.skipTo(snapshot.position);
      await this.#compare(reader, range, snapshot);
      onProgress(this.#rows);
    }
  }

  async #compare(reader: LedgerReader, range: Range, { rows }: StoredRows): Promise<void> {
    const { plans } = reader.verifier.verdict();
    // What a version before could not follow is not what this one expects; that it is quarantined is told already.
    const broken = new Set(plans.flatMap(({ planId, standing }) => (standing.kind === 'quarantined' ? planId : [])));
    const faults = new Map((rows.get('plans') ?? []).map((row) => [row.plan_id, row.document_fault]));
    const expected = new Map<string, Expected>();
    for (const { planId } of plans) {
      const reading = reader.verifier.reading(planId);
      if (reading === undefined || broken.has(planId) || !inRange(planId, range)) continue;
      expected.set(planId, this.#asProjected(await this.#expected(reading), planId, faults.get(planId) ?? null));
    }
    for (const table of TABLE_NAMES) {
      const found = (rows.get(table) ?? []).map((row) => decodeRow(table, row));
      this.#compareTable(
        table,
        expected,
        found.filter((cells) => !broken.has(cells.get('plan_id') ?? '')),
      );
    }
  }

  #compareTable(table: TableName, expected: ReadonlyMap<string, Expected>, stored: readonly EncodedRow[]): void {
    const found = byKey(table, stored);
    for (const { rows, whole } of expected.values()) {
      if (table === 'steps' && !whole) continue;
      for (const cells of rows[table].map((row) => encodeRow(table, row))) {
        this.#rows += 1;
        const key = keyOf(table, cells);
        const row = found.get(JSON.stringify(key));
        found.delete(JSON.stringify(key));
        const known = whole ? cells : new Map([...cells].filter(([column]) => !OF_DOCUMENT.has(column)));
        if (row === undefined) this.#findings.add(missingRow(table, key));
        else this.#findings.add(...differences(table, keyColumns(table), known, row));
      }
    }
    for (const cells of found.values()) {
      const unknown = table === 'steps' && expected.get(cells.get('plan_id') ?? '')?.whole === false;
      if (!unknown) this.#findings.add(extraRow(table, keyOf(table, cells)));
    }
  }

  /** A document that can be read here and could not be read by the projector is told once, not step by step. */
  #asProjected({ rows, whole }: Expected, planId: string, fault: string | null): Expected {
    if (fault === null || !whole) return { rows, whole };
    this.#findings.add({
      ...cellFinding({ table: 'plans', key: { plan_id: planId }, column: 'document_fault' }, null, fault),
      message: 'the plan is projected without its steps: the projector could not read its admitted document',
    });
    return { rows, whole: false };
  }

  async #expected(reading: Reading): Promise<Expected> {
    const { state } = reading;
    if (state.admitted === undefined) return { rows: rowsOf(reading, undefined), whole: true };
    try {
      return { rows: rowsOf(reading, await this.#documents.of(state)), whole: true };
    } catch (error) {
      // That it is missing or altered is told where the artifacts are checked.
      if (!(error instanceof IsomorphError) || (await isAway(this.#store, error))) throw error;
      return { rows: rowsOf(reading, undefined), whole: false };
    }
  }
}
