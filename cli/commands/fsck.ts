import { type FsckProgress, fsck } from '../../shared/fsck/fsck.ts';
import { plural } from '../../shared/text/plural.ts';
import type { Context } from '../context.ts';
import { fsckDocument, fsckLines } from '../render/fsck.ts';
import { Waiting } from '../waiting.ts';

export interface FsckCommandOptions {
  readonly quick?: boolean;
}

const UNITS = { ledger: 'message', postgres: 'row', artifacts: 'artifact' } as const;

const stageText = ({ stage, done }: FsckProgress): string => `comparing: ${stage}, ${plural(done, UNITS[stage])}`;

/** `isomorph fsck`: exit 1 when anything differs. */
export async function fsckCommand(context: Context, { quick = false }: FsckCommandOptions): Promise<number> {
  const { out } = context;
  const [connection, pool, store] = [await context.connection('auditor'), await context.pool(), await context.store()];
  const waiting = new Waiting(out, 'comparing ledger, Postgres and artifacts');
  try {
    const report = await fsck({
      connection,
      store,
      ...(pool === undefined ? {} : { pool }),
      hash: quick ? 'none' : 'all',
      onProgress: (progress) => waiting.change(stageText(progress)),
    });
    waiting.end();
    out.lines(...fsckLines(report, out.theme));
    out.document(fsckDocument(report));
    return report.ok ? 0 : 1;
  } finally {
    waiting.end();
  }
}
