import type pg from 'pg';
import type { ColumnType } from '../projection/columns.ts';
import { decodeStored, selectList } from '../projection/sql.ts';
import { type ColumnValue, encodeCell } from '../projection/tables.ts';
import { differences, type EncodedRow, extraRow, type Findings, missingRow, pick } from './finding.ts';
import type { JudgedMessage, LedgerReader } from './ledger-reader.ts';

const EVENT_COLUMNS = [
  ['stream_seq', 'bigint'],
  ['index_in_commit', 'bigint'],
  ['plan_id', 'text'],
  ['seq', 'bigint'],
  ['kind', 'text'],
  ['by', 'text'],
  ['ts', 'timestamptz'],
  ['this_hash', 'text'],
  ['prev_hash', 'text'],
  ['data', 'jsonb'],
] as const satisfies readonly (readonly [string, ColumnType])[];

/** Without the reason: its wording is not the ledger's but that of the version that projected. */
const FOREIGN_COLUMNS = [
  ['stream_seq', 'bigint'],
  ['subject', 'text'],
] as const satisfies readonly (readonly [string, ColumnType])[];

type Columns = readonly (readonly [string, ColumnType])[];
type Stored = Readonly<Record<string, string | null>>;

const EVENT_LIST = `${selectList(EVENT_COLUMNS)}, encode(bytes, 'hex') as bytes`;
const FOREIGN_LIST = selectList(FOREIGN_COLUMNS);

const encode = (columns: Columns, row: Readonly<Record<string, ColumnValue>>): Map<string, string | null> =>
  new Map(columns.map(([name, type]) => [name, encodeCell(type, row[name] ?? null)]));

const decode = (columns: Columns, row: Stored): Map<string, string | null> =>
  new Map(columns.map(([name, type]) => [name, decodeStored(type, row[name] ?? null)]));

function decodeEvent(row: Stored): EncodedRow {
  return decode(EVENT_COLUMNS, row).set('bytes', Buffer.from(row.bytes ?? '', 'hex').toString('latin1'));
}

const EVENT_KEY = ['plan_id', 'seq'] as const;
const FOREIGN_KEY = ['stream_seq'] as const;

const eventId = (cells: EncodedRow): string => `${cells.get('plan_id')} ${cells.get('seq')}`;

function eventsOf(messages: readonly JudgedMessage[]): Map<string, EncodedRow> {
  const all = messages.flatMap(({ seq: streamSeq, events }) =>
    events.map(({ raw, line }, index) => {
      const { plan_id, seq, kind, by, ts, this_hash, prev_hash, data } = raw;
      const row = {
        stream_seq: streamSeq,
        index_in_commit: index,
        plan_id,
        seq,
        kind,
        by,
        ts,
        this_hash,
        prev_hash,
        data,
      };
      return encode(EVENT_COLUMNS, row).set('bytes', Buffer.from(line).toString('latin1'));
    }),
  );
  return new Map(all.map((cells) => [eventId(cells), cells]));
}

/** Messages of the ledger that are compared at once. */
const CHUNK = 500;

/** Compares the tables `events` and `foreign_messages` with the messages they were made of. */
export class EventComparison {
  readonly #pool: pg.Pool;
  readonly #findings: Findings;
  /** Rows where none is expected; one whose place in the stream was altered is told as that. */
  readonly #extra = new Map<string, EncodedRow>();
  readonly #told = new Set<string>();
  #rows = 0;

  constructor(pool: pg.Pool, findings: Findings) {
    this.#pool = pool;
    this.#findings = findings;
  }

  /** Rows that were compared. */
  get rows(): number {
    return this.#rows;
  }

  /** Reads the ledger up to `position` and compares what is told to be projected, byte by byte. */
  async run(reader: LedgerReader, position: number, onProgress: (rows: number) => void): Promise<void> {
    let chunk: JudgedMessage[] = [];
    // Nothing of a stream has a sequence below 1, so whatever is there is in some chunk.
    let above = Number.MIN_SAFE_INTEGER;
    for await (const message of reader.upTo(position)) {
      chunk.push(message);
      if (chunk.length < CHUNK) continue;
      await this.#compare(chunk, above, message.seq);
      onProgress(this.#rows);
      above = message.seq;
      chunk = [];
    }
    await this.#compare(chunk, above, position);
    await this.#compareBehind();
    for (const [id, cells] of this.#extra) {
      if (!this.#told.has(id)) this.#findings.add(extraRow('events', pick(cells, EVENT_KEY)));
    }
    onProgress(this.#rows);
  }

  async #compare(messages: readonly JudgedMessage[], above: number, upTo: number): Promise<void> {
    await this.#compareEvents(eventsOf(messages), above, upTo);
    await this.#compareForeign(messages, above, upTo);
  }

  async #compareEvents(expected: ReadonlyMap<string, EncodedRow>, above: number, upTo: number): Promise<void> {
    const { rows } = await this.#pool.query<Stored>(
      `select ${EVENT_LIST} from isomorph.events where stream_seq > $1 and stream_seq <= $2`,
      [above, upTo],
    );
    const found = new Map(rows.map(decodeEvent).map((cells) => [eventId(cells), cells]));
    this.#rows += expected.size;
    const absent = [...expected.values()].filter((cells) => !found.has(eventId(cells)));
    const elsewhere = await this.#byKey(absent);
    for (const [id, cells] of expected) {
      const row = found.get(id) ?? elsewhere.get(id);
      if (row === undefined) this.#findings.add(missingRow('events', pick(cells, EVENT_KEY)));
      else this.#findings.add(...differences('events', EVENT_KEY, cells, row));
      if (elsewhere.has(id)) this.#told.add(id);
    }
    for (const [id, cells] of found) if (!expected.has(id)) this.#extra.set(id, cells);
  }

  /** Rows of events that are not where their message is. */
  async #byKey(wanted: readonly EncodedRow[]): Promise<ReadonlyMap<string, EncodedRow>> {
    if (wanted.length === 0) return new Map();
    const { rows } = await this.#pool.query<Stored>(
      `select ${EVENT_LIST} from isomorph.events
       where (plan_id, seq) in (select * from unnest($1::text[], $2::bigint[]))`,
      [wanted.map((cells) => cells.get('plan_id')), wanted.map((cells) => cells.get('seq'))],
    );
    return new Map(rows.map(decodeEvent).map((cells) => [eventId(cells), cells]));
  }

  async #compareForeign(messages: readonly JudgedMessage[], above: number, upTo: number): Promise<void> {
    const { rows } = await this.#pool.query<Stored>(
      `select ${FOREIGN_LIST} from isomorph.foreign_messages where stream_seq > $1 and stream_seq <= $2`,
      [above, upTo],
    );
    const found = new Map(rows.map((row) => [row.stream_seq ?? '', decode(FOREIGN_COLUMNS, row)]));
    for (const { seq, subject, foreign } of messages) {
      if (foreign === undefined) continue;
      const expected = encode(FOREIGN_COLUMNS, { stream_seq: seq, subject });
      const row = found.get(`${seq}`);
      if (row === undefined) this.#findings.add(missingRow('foreign_messages', { stream_seq: `${seq}` }));
      else this.#findings.add(...differences('foreign_messages', FOREIGN_KEY, expected, row));
      found.delete(`${seq}`);
    }
    for (const cells of found.values()) this.#findings.add(extraRow('foreign_messages', pick(cells, FOREIGN_KEY)));
  }

  /** Rows behind the position were not made by a projector: it moves both at once. */
  async #compareBehind(): Promise<void> {
    const behind = 'where stream_seq > (select stream_seq from isomorph.position) limit 1000';
    const events = await this.#pool.query<Stored>(`select ${EVENT_LIST} from isomorph.events ${behind}`);
    for (const cells of events.rows.map(decodeEvent)) this.#extra.set(eventId(cells), cells);
    const foreign = await this.#pool.query<Stored>(`select ${FOREIGN_LIST} from isomorph.foreign_messages ${behind}`);
    for (const row of foreign.rows) {
      this.#findings.add(extraRow('foreign_messages', pick(decode(FOREIGN_COLUMNS, row), FOREIGN_KEY)));
    }
  }
}
