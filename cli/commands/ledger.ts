import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { Verdict } from '../../shared/ledger/verify.ts';
import { plural } from '../../shared/text/plural.ts';
import { AuditedLedger, type Documents, fileDocument, worldDocuments } from '../audited-ledger.ts';
import type { Context } from '../context.ts';
import { lastSequence, readLedger, readMessages } from '../ledger-source.ts';
import { checkPlanArgument, loadPlan } from '../load-plan.ts';
import { unreadable } from '../local-file.ts';
import { shownPath } from '../place.ts';
import { table } from '../render/table.ts';
import { GLYPH } from '../render/theme.ts';
import { verdictDocument, verdictLines } from '../render/verdict.ts';
import { verifyLines } from '../verify-lines.ts';

export interface ExportOptions {
  readonly output?: string;
}

interface Exported {
  events: number;
  head: string | undefined;
}

const LINE_FEED = new Uint8Array([0x0a]);

const notOfChain = ({ code }: IsomorphError): string =>
  code === 'ERR_NOT_AN_EVENT' ? 'is no event' : 'does not follow the chain';

/** The stored bytes of a plan's commits: each is its events in canonical form, one a line, without a last line feed. */
async function* exportOf(context: Context, planId: string, exported: Exported): AsyncGenerator<Uint8Array> {
  for await (const one of readLedger(await context.connection('auditor'), planId)) {
    if (one.kind === 'foreign') {
      context.out.note(`message ${one.message.seq} ${notOfChain(one.error)}, skipped: ${one.error.message}`);
      continue;
    }
    exported.events += one.raws.length;
    exported.head = one.raws.at(-1)?.this_hash;
    yield one.message.data;
    yield LINE_FEED;
  }
  if (exported.events === 0) throw new IsomorphError('ERR_PLAN_UNKNOWN', `no plan ${planId} is in the ledger`);
}

/** `isomorph ledger export <plan> [-o file]`. */
export async function exportLedger(context: Context, planId: string, { output = '-' }: ExportOptions): Promise<number> {
  const { out, terminal } = context;
  checkPlanArgument(planId);
  const exported: Exported = { events: 0, head: undefined };
  const lines = exportOf(context, planId, exported);
  if (output === '-') {
    for await (const chunk of lines) await out.bytes(chunk);
    return 0;
  }
  const file = path.resolve(terminal.cwd, output);
  const draft = `${file}.${process.pid}.part`;
  try {
    await pipeline(Readable.from(lines, { objectMode: false }), createWriteStream(draft));
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  const { events, head } = exported;
  out.lines(
    `${out.theme.good(GLYPH.good)} ${plural(events, 'event')} of ${planId} in ${shownPath(file, terminal.cwd)}`,
    out.theme.dim(`  check it: npx isomorph ledger verify ${output} --head ${head}`),
  );
  out.document({ plan_id: planId, events, head_hash: head, file });
  return 0;
}

async function* openInput(file: string, context: Context): AsyncGenerator<Uint8Array> {
  if (file === '-') {
    yield* context.terminal.stdin;
    return;
  }
  try {
    yield* createReadStream(path.resolve(context.terminal.cwd, file));
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** Every chain of the live ledger. A plan that still runs is no finding here. */
async function verifyLive(context: Context, documents: Documents | undefined): Promise<Verdict> {
  const ledger = new AuditedLedger(documents);
  for await (const one of readMessages(await context.connection('auditor'), undefined)) {
    const place = `message ${one.message.seq}`;
    if (one.kind === 'foreign') ledger.verifier.report(one.error, place);
    else ledger.verifier.commit(one.raws, place);
    await ledger.proceed();
  }
  return ledger.verdict();
}

export interface VerifyCommandOptions {
  readonly open?: boolean;
  readonly head?: string;
  /** Compare with the admitted documents in the World. */
  readonly world?: boolean;
  /** Compare with the admitted document in this file. */
  readonly admitted?: string;
}

function documentsOf(context: Context, { world = false, admitted }: VerifyCommandOptions): Documents | undefined {
  if (world && admitted !== undefined) {
    throw new IsomorphError('ERR_USAGE', '--world and --admitted name two places of one document', {
      expected: 'one of them',
    });
  }
  if (admitted !== undefined) return fileDocument(context, admitted);
  return world ? worldDocuments(context) : undefined;
}

/** `isomorph ledger verify [file|-]`: a file is judged without any server, by its bytes and what it is compared with. */
export async function verify(
  context: Context,
  file: string | undefined,
  options: VerifyCommandOptions,
): Promise<number> {
  const { open = false, head } = options;
  if (file === undefined && (open || head !== undefined || options.admitted !== undefined)) {
    throw new IsomorphError('ERR_USAGE', '--open, --head and --admitted are for the verification of a file', {
      expected: 'isomorph ledger verify <file> --head <hash>',
    });
  }
  const documents = documentsOf(context, options);
  const verdict =
    file === undefined
      ? await verifyLive(context, documents)
      : await verifyLines(openInput(file, context), { open, head, documents });
  context.out.lines(...verdictLines(verdict, context.out.theme));
  context.out.document(verdictDocument(verdict));
  return verdict.findings.length === 0 ? 0 : 1;
}

async function headOfAll(context: Context): Promise<number> {
  const { out } = context;
  const connection = await context.connection('auditor');
  const heads = new Map<string, { seq: number; hash: string; kind: string }>();
  for await (const one of readLedger(connection, undefined)) {
    const last = one.kind === 'commit' ? one.raws.at(-1) : undefined;
    if (last !== undefined) heads.set(last.plan_id, { seq: last.seq, hash: last.this_hash, kind: last.kind });
  }
  const columns = [{ title: 'plan' }, { title: 'events', align: 'right' }, { title: 'head' }] as const;
  const rows = [...heads].map(([planId, { seq, hash }]) => [planId, String(seq), { text: hash, paint: out.theme.dim }]);
  out.lines(...(rows.length === 0 ? ['the ledger is empty'] : table(columns, rows, out.theme)));
  const plans = [...heads].map(([plan_id, { seq, hash, kind }]) => ({ plan_id, seq, head_hash: hash, kind }));
  out.document({ last_message: await lastSequence(connection), plans });
  return 0;
}

/** `isomorph ledger head [plan]`: what a copy of the ledger must end in. */
export async function head(context: Context, planId: string | undefined): Promise<number> {
  if (planId === undefined) return headOfAll(context);
  const { out } = context;
  const { state, head: last, events } = await loadPlan(context, planId);
  const { hash, seq, ts } = last;
  out.lines(hash ?? '', out.theme.dim(`  seq ${seq}, ${events.at(-1)?.kind}, ${ts}`));
  out.document({ plan_id: planId, seq, head_hash: hash, ts, kind: events.at(-1)?.kind, phase: state.phase });
  return 0;
}
