/**
 * Projecting a whole ledger into an empty schema against COPY of the same rows into the same tables, indexes included, by
 * Postgres itself from files of its own: nothing can put those rows there faster.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import pg from 'pg';
import { pino } from 'pino';
import { startProjector } from '../../services/projector/service.ts';
import { encodeCommit } from '../../shared/ledger/chain.ts';
import { migrate } from '../../shared/projection/migrate.ts';
import { transaction } from '../../shared/projection/postgres.ts';
import { TABLE_NAMES } from '../../shared/projection/tables.ts';
import { commitSubject } from '../../shared/wire/ledger.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { startPostgres } from '../../test/harness/servers/index.ts';
import { planOf, step } from '../../test/plan/admitted-plan.ts';
import { type BenchResult, inParallel, median } from '../harness.ts';
import { lifeOf, stepId } from './lives.ts';
import { startLedgerServer } from './server.ts';

const PLANS = 40;
const STEPS = 50;
const ROUNDS = 5;
const IN_FLIGHT = 256;
const LOOK_EVERY_MS = 5;
const COPIED = ['events', ...TABLE_NAMES].map((table) => `isomorph.${table}`);

/** The World of those plans: nothing but their admitted documents. */
const documents = {
  async getBytes({ worldPath }: { readonly worldPath: string }): Promise<Uint8Array> {
    const planId = worldPath.split('/')[3] ?? '';
    const plan = planOf(
      Array.from({ length: STEPS }, (_, n) => step(stepId(n))),
      { plan_id: planId },
    );
    return new TextEncoder().encode(JSON.stringify(plan));
  },
} as unknown as ArtifactStore;

/** @returns how many events there are, and the sequence of the last message */
async function fill(connection: NatsConnection): Promise<{ readonly events: number; readonly lastSeq: number }> {
  const js = jetstream(connection);
  const chains = Array.from({ length: PLANS }, (_, n) => lifeOf(`plan-${n}`, STEPS));
  let lastSeq = 0;
  await inParallel(PLANS, IN_FLIGHT, async (index) => {
    for (const commit of chains[index]?.commits ?? []) {
      const last = commit.at(-1);
      if (last === undefined) continue;
      const { seq } = await js.publish(commitSubject(last), encodeCommit(commit));
      lastSeq = Math.max(lastSeq, seq);
    }
  });
  return { events: chains.reduce((sum, { events }) => sum + events.length, 0), lastSeq };
}

const secondsOf = async (work: () => Promise<unknown>): Promise<number> => {
  const startNs = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - startNs) / 1e9;
};

async function projectFromZero(pool: pg.Pool, connection: NatsConnection, lastSeq: number): Promise<number> {
  await pool.query('drop schema if exists isomorph cascade');
  await migrate(pool);
  const log = pino({ level: 'silent' });
  const deps = { connection, pool, store: documents, log, nowMs: Date.now, onForeign: () => undefined };
  let stop = async (): Promise<void> => undefined;
  const seconds = await secondsOf(async () => {
    const projector = await startProjector(deps);
    stop = () => projector.stop();
    for (;;) {
      const { rows } = await pool.query<{ stream_seq: string }>('select stream_seq from isomorph.position');
      if (Number(rows[0]?.stream_seq) >= lastSeq) return;
      await delay(LOOK_EVERY_MS);
    }
  });
  await stop();
  return seconds;
}

async function copyOut(pool: pg.Pool): Promise<string> {
  const { rows } = await pool.query<{ data_directory: string }>('show data_directory');
  const folder = rows[0]?.data_directory ?? '';
  for (const table of COPIED) await pool.query(`copy ${table} to '${join(folder, `${table}.copy`)}'`);
  return folder;
}

async function copyIn(pool: pg.Pool, folder: string): Promise<number> {
  await pool.query(`truncate ${COPIED.join(', ')}`);
  return secondsOf(() =>
    transaction(pool, async (client) => {
      for (const table of COPIED) await client.query(`copy ${table} from '${join(folder, `${table}.copy`)}'`);
    }),
  );
}

export async function projecting(): Promise<BenchResult> {
  const [nats, postgres] = [await startLedgerServer('default'), await startPostgres({ fsync: 'on' })];
  const pool = new pg.Pool({ connectionString: postgres.url, max: 3 });
  pool.on('error', () => undefined);
  try {
    const connection = await nats.connect('projector');
    const { events, lastSeq } = await fill(connection);
    const [ours, copied]: [number[], number[]] = [[], []];
    for (let round = -1; round < ROUNDS; round++) {
      const our = await projectFromZero(pool, connection, lastSeq);
      const copy = await copyIn(pool, await copyOut(pool));
      // The first round warms up.
      if (round < 0) continue;
      ours.push(our);
      copied.push(copy);
    }
    return {
      ratios: { project: median(ours.map((seconds, round) => (copied[round] ?? Number.NaN) / seconds)) },
      figures: { project_events_per_s: events / median(ours), copy_events_per_s: events / median(copied) },
    };
  } finally {
    await pool.end();
    await postgres.stop();
    await nats.stop();
  }
}
