import type pg from 'pg';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { ForeignMessage } from '../../shared/journal/snapshot.ts';
import { transaction } from '../../shared/projection/postgres.ts';
import { upsert } from '../../shared/projection/sql.ts';
import { instant, jsonbText, TABLE_NAMES } from '../../shared/projection/tables.ts';
import type { Changes } from './changes.ts';
import type { ProjectedEvent } from './decide.ts';

/** The last message of LEDGER that Postgres has. */
export async function readPosition(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ stream_seq: string }>('select stream_seq from isomorph.position');
  const [row] = rows;
  if (row === undefined) {
    throw new IsomorphError('ERR_CHAIN_BROKEN', 'isomorph.position has lost its row', {
      expected: 'one row; drop the schema isomorph to project anew',
    });
  }
  return Number(row.stream_seq);
}

export interface Batch {
  /** The position that the batch was made for: of several projectors at once one succeeds. */
  readonly from: number;
  readonly to: number;
  readonly events: readonly ProjectedEvent[];
  readonly foreign: readonly ForeignMessage[];
  readonly changes: Changes;
  /** Plans that are judged anew: what was said of their standing goes first. */
  readonly anew?: readonly string[];
}

/** First of all, so that a second projector waits here and then finds that it was second. */
async function movePosition(client: pg.PoolClient, { from, to }: Batch): Promise<void> {
  const moved = await client.query('update isomorph.position set stream_seq = $2 where stream_seq = $1', [from, to]);
  if (moved.rowCount === 1) return;
  throw new IsomorphError('ERR_APPEND_CONTENDED', 'another projector writes to this database', {
    expected: `position ${from}`,
  });
}

/** A row that was there before is harmless while it holds the same bytes, as after a position that was set back. */
async function checkExisting(client: pg.PoolClient, events: readonly ProjectedEvent[]): Promise<void> {
  const { rows } = await client.query<{ plan_id: string; seq: string }>(
    `select plan_id, seq from isomorph.events
     join unnest($1::text[], $2::bigint[], $3::bytea[]) as given(plan_id, seq, bytes) using (plan_id, seq)
     where events.bytes <> given.bytes order by plan_id, seq limit 1`,
    [
      events.map(({ raw }) => raw.plan_id),
      events.map(({ raw }) => raw.seq),
      events.map(({ line }) => Buffer.from(line)),
    ],
  );
  const [row] = rows;
  if (row === undefined) return;
  const stored = events.find(({ raw }) => raw.plan_id === row.plan_id && raw.seq === Number(row.seq));
  throw new IsomorphError(
    'ERR_CHAIN_BROKEN',
    `isomorph.events holds other bytes for seq ${row.seq} of ${row.plan_id}`,
    {
      pointer: `message ${stored?.streamSeq}`,
      expected: stored?.raw.this_hash ?? 'the bytes of the ledger',
    },
  );
}

async function insertEvents(client: pg.PoolClient, events: readonly ProjectedEvent[]): Promise<void> {
  if (events.length === 0) return;
  const inserted = await client.query(
    `insert into isomorph.events
       (stream_seq, index_in_commit, plan_id, seq, kind, by, ts, this_hash, prev_hash, bytes, data)
     select * from unnest($1::bigint[], $2::integer[], $3::text[], $4::bigint[], $5::text[], $6::text[],
       $7::timestamptz[], $8::text[], $9::text[], $10::bytea[], $11::jsonb[])
     on conflict (plan_id, seq) do nothing`,
    [
      events.map(({ streamSeq }) => streamSeq),
      events.map(({ indexInCommit }) => indexInCommit),
      events.map(({ raw }) => raw.plan_id),
      events.map(({ raw }) => raw.seq),
      events.map(({ raw }) => raw.kind),
      events.map(({ raw }) => raw.by),
      events.map(({ raw }) => instant(raw.ts)),
      events.map(({ raw }) => raw.this_hash),
      events.map(({ raw }) => raw.prev_hash),
      events.map(({ line }) => Buffer.from(line)),
      events.map(({ raw }) => jsonbText(JSON.stringify(raw.data))),
    ],
  );
  if (inserted.rowCount !== events.length) await checkExisting(client, events);
}

async function insertForeign(client: pg.PoolClient, foreign: readonly ForeignMessage[]): Promise<void> {
  if (foreign.length === 0) return;
  await client.query(
    `insert into isomorph.foreign_messages (stream_seq, subject, reason)
     select * from unnest($1::bigint[], $2::text[], $3::text[]) on conflict (stream_seq) do nothing`,
    [
      foreign.map(({ seq }) => seq),
      foreign.map(({ subject }) => subject.replaceAll('\0', '\ufffd')),
      foreign.map(({ reason }) => reason.replaceAll('\0', '\ufffd')),
    ],
  );
}

/** What was known of steps while the document could be read is no longer true once the plan has gone on without it. */
async function removeUnknownSteps(client: pg.PoolClient, { plans }: Changes): Promise<void> {
  const undocumented = plans.flatMap(({ plan_id: planId, document_fault: fault }) => (fault == null ? [] : planId));
  if (undocumented.length === 0) return;
  await client.query('delete from isomorph.steps where plan_id = any($1)', [undocumented]);
}

/**
 * Everything that a batch says and the new position, or nothing.
 * @throws ERR_APPEND_CONTENDED when the position is not `from` any more, ERR_CHAIN_BROKEN when Postgres holds an event
 * with other bytes; errors of `pg`
 */
export const writeBatch = (pool: pg.Pool, batch: Batch): Promise<void> =>
  transaction(pool, async (client) => {
    await movePosition(client, batch);
    await insertEvents(client, batch.events);
    if (batch.anew !== undefined)
      await client.query('delete from isomorph.standings where plan_id = any($1)', [batch.anew]);
    await removeUnknownSteps(client, batch.changes);
    for (const table of TABLE_NAMES) await upsert(client, table, batch.changes[table]);
    await insertForeign(client, batch.foreign);
  });
