import type { NatsConnection } from '@nats-io/transport-node';
import type pg from 'pg';
import { IsomorphError } from '../errors/isomorph-error.ts';
import type { PlanVerdict } from '../ledger/verify.ts';
import { isPassing } from '../projection/postgres.ts';
import { LEDGER_STREAM } from '../wire/ledger.ts';
import type { ArtifactStore } from '../world/artifact-store.ts';
import { checkArtifacts, type HashMode } from './check-artifacts.ts';
import { EventComparison } from './compare-events.ts';
import { RowComparison } from './compare-rows.ts';
import { cellFinding, Findings, type FsckFinding, missingRow } from './finding.ts';
import { LedgerReader } from './ledger-reader.ts';

export type { HashMode } from './check-artifacts.ts';
export type { FsckFinding, RowPlace } from './finding.ts';

/** What is being done, and how many of it are done: messages, rows, artifacts. */
export interface FsckProgress {
  readonly stage: 'ledger' | 'postgres' | 'artifacts';
  readonly done: number;
}

export interface FsckOptions {
  /** Needs direct reads of LEDGER only: an auditor's connection will do. */
  readonly connection: NatsConnection;
  /** The projection; without it only the ledger and the artifacts are checked. */
  readonly pool?: pg.Pool;
  readonly store: ArtifactStore;
  /** Default `all`. */
  readonly hash?: HashMode;
  readonly onProgress?: (progress: FsckProgress) => void;
}

export interface FsckReport {
  /** True when nothing was found. */
  readonly ok: boolean;
  readonly findings: readonly FsckFinding[];
  /** Findings beside those listed, when there are very many. */
  readonly findings_omitted: number;
  readonly ledger: { readonly messages: number; readonly events: number; readonly plans: readonly PlanVerdict[] };
  /** Undefined without a pool, or when nothing was ever projected. */
  readonly postgres:
    | {
        /** The last message that is projected: what comes after it is not compared. */
        readonly position: number;
        /** Messages of the ledger that are not projected yet. */
        readonly lag: number;
        readonly rows: number;
      }
    | undefined;
  readonly artifacts: { readonly checked: number; readonly hash: HashMode };
}

interface Run {
  readonly reader: LedgerReader;
  readonly findings: Findings;
  readonly store: ArtifactStore;
  readonly onProgress: (progress: FsckProgress) => void;
}

interface ProjectionRead {
  readonly position: number;
  readonly rows: number;
}

/** The position; undefined when there is no projection. A lost row of it is a finding. */
async function readPosition(pool: pg.Pool, findings: Findings): Promise<number | undefined> {
  const there = await pool.query<{ there: boolean }>("select to_regclass('isomorph.position') is not null as there");
  if (!there.rows[0]?.there) return undefined;
  const { rows } = await pool.query<{ stream_seq: string }>('select stream_seq from isomorph.position');
  const [row] = rows;
  if (row === undefined) findings.add(missingRow('position', {}));
  return row === undefined ? undefined : Number(row.stream_seq);
}

async function comparePostgres(pool: pg.Pool, run: Run): Promise<ProjectionRead | undefined> {
  const { reader, findings, store, onProgress } = run;
  const position = await readPosition(pool, findings);
  if (position === undefined) return undefined;
  const tell = (done: number): void => onProgress({ stage: 'postgres', done });
  const events = new EventComparison(pool, findings);
  await events.run(reader, position, tell);
  if (reader.lastSeq < position) {
    const row = { table: 'position', key: {}, column: 'stream_seq' };
    findings.add({
      ...cellFinding(row, `at most ${reader.lastSeq}`, `${position}`),
      message: `the projection is ahead of ${LEDGER_STREAM}: messages that it has are gone`,
    });
  }
  const rows = new RowComparison(pool, store, findings);
  await rows.run(reader, (done) => tell(events.rows + done));
  return { position, rows: events.rows + rows.rows };
}

function asIsomorphError(error: unknown): IsomorphError {
  if (error instanceof IsomorphError) return error;
  const message = `Postgres: ${error instanceof Error ? error.message : String(error)}`;
  return new IsomorphError(isPassing(error) ? 'ERR_UNAVAILABLE' : 'ERR_INTERNAL', message, {}, error);
}

async function readRest({ reader, onProgress }: Run): Promise<void> {
  for await (const _ of reader.upTo(Number.MAX_SAFE_INTEGER)) {
    if (reader.messages % 1000 === 0) onProgress({ stage: 'ledger', done: reader.messages });
  }
  onProgress({ stage: 'ledger', done: reader.messages });
}

/**
 * Derives everything again and compares: every event's form, hash, link and legality (budgets among it: a plan that
 * ends with money held is a finding); every row of the projection, events byte by byte; every artifact that an event
 * names. A projector that is behind, or that works meanwhile, is no finding.
 * @throws ERR_UNAVAILABLE when a server cannot be asked
 */
export async function fsck(options: FsckOptions): Promise<FsckReport> {
  const { connection, pool, store, hash = 'all', onProgress = () => undefined } = options;
  const findings = new Findings();
  const reader = new LedgerReader(connection);
  const run: Run = { reader, findings, store, onProgress };
  let projected: ProjectionRead | undefined;
  try {
    if (pool !== undefined) projected = await comparePostgres(pool, run);
  } catch (error) {
    throw asIsomorphError(error);
  }
  await readRest(run);
  const verdict = reader.verifier.verdict();
  findings.add(
    ...verdict.findings.map((one): FsckFinding => ({ ...one, where: 'ledger', found: undefined, row: undefined })),
  );
  const ended = new Set(verdict.plans.flatMap(({ planId, complete }) => (complete ? [planId] : [])));
  const checked = await checkArtifacts(reader.artifacts.values(), {
    store,
    isOpen: (planId) => !ended.has(planId),
    hash,
    findings,
    onProgress: (done) => onProgress({ stage: 'artifacts', done }),
  });
  return {
    ok: findings.kept.length === 0,
    findings: findings.kept,
    findings_omitted: findings.omitted,
    ledger: { messages: reader.messages, events: verdict.events, plans: verdict.plans },
    postgres: projected && { ...projected, lag: Math.max(0, reader.lastSeq - projected.position) },
    artifacts: { checked, hash },
  };
}
