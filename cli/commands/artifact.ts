import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { Cid } from '../../shared/hash/cid.ts';
import { canonicalWorldPath } from '../../shared/ids/world-path.ts';
import { plural } from '../../shared/text/plural.ts';
import type { ArtifactStat, ArtifactStore } from '../../shared/world/artifact-store.ts';
import { BY_HAND, takePath } from '../../shared/world/whose.ts';
import type { Context } from '../context.ts';
import { unreadable } from '../local-file.ts';
import { shownPath } from '../place.ts';
import { bytes } from '../render/text.ts';
import { GLYPH } from '../render/theme.ts';

export interface PutOptions {
  readonly contentType?: string;
}

export interface CatOptions {
  /** What it must hash to, from the ledger or a receipt: the store itself can only tell what it has. */
  readonly cid?: string;
}

export interface GetOptions extends CatOptions {
  readonly output?: string;
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.csv': 'text/csv; charset=utf-8',
  '.gz': 'application/gzip',
  '.html': 'text/html; charset=utf-8',
  '.jpg': 'image/jpeg',
  '.json': 'application/json',
  '.md': 'text/markdown; charset=utf-8',
  '.parquet': 'application/vnd.apache.parquet',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.yaml': 'application/yaml',
  '.yml': 'application/yaml',
  '.zip': 'application/zip',
};

export const contentTypeOf = (file: string): string =>
  CONTENT_TYPES[path.extname(file).toLowerCase()] ?? 'application/octet-stream';

/** A file that cannot be opened is the caller's to correct. */
async function* fileBody(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(file, { highWaterMark: 1024 * 1024 });
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** `isomorph artifact put <file> <worldpath>`; `-` is standard input. */
export async function put(context: Context, file: string, worldPath: string, options: PutOptions): Promise<number> {
  const { out, terminal } = context;
  const canonical = canonicalWorldPath(worldPath, 'exact');
  const body = file === '-' ? terminal.stdin : fileBody(path.resolve(terminal.cwd, file));
  // What reads from standard input is told apart by where it goes.
  const contentType = options.contentType ?? contentTypeOf(file === '-' ? canonical : file);
  const store = await context.store();
  await takePath(store, canonical, BY_HAND);
  const result = await store.put({ worldPath: canonical, body, contentType });
  const how = result.created ? 'stored' : 'was there already, with the same bytes';
  out.lines(
    `${out.theme.good(GLYPH.good)} ${canonical} ${how}`,
    out.theme.dim(`  ${bytes(result.size)}, ${contentType}, ${result.cid}`),
  );
  out.document({ path: canonical, ...result, content_type: contentType });
  return 0;
}

async function statOf(store: ArtifactStore, worldPath: string): Promise<ArtifactStat> {
  const stat = await store.stat(worldPath);
  if (stat === undefined) throw new IsomorphError('ERR_NOT_FOUND', `nothing is at ${worldPath}`);
  return stat;
}

function expectedCid(stat: ArtifactStat, { cid }: CatOptions): Cid {
  if (cid === undefined) return stat.cid;
  if (/^blake3:[0-9a-f]{64}$/.test(cid)) return cid as Cid;
  throw new IsomorphError('ERR_USAGE', `${JSON.stringify(cid)} is no CID`, { expected: 'blake3:<64 hex digits>' });
}

/** Bytes that are hashed on their way: of a damaged copy the end never comes. */
async function bodyOf(
  store: ArtifactStore,
  stat: ArtifactStat,
  options: CatOptions,
): Promise<AsyncIterable<Uint8Array>> {
  return (await store.get({ worldPath: stat.path, expectedCid: expectedCid(stat, options) })).body;
}

/** `isomorph artifact get <worldpath> [-o file] [--cid <cid>]`: the file appears whole and verified, or not at all. */
export async function get(context: Context, worldPath: string, options: GetOptions): Promise<number> {
  const { out, terminal } = context;
  if (options.output === '-') return cat(context, worldPath, options);
  const store = await context.store();
  const stat = await statOf(store, canonicalWorldPath(worldPath, 'exact'));
  const file = path.resolve(terminal.cwd, options.output ?? path.basename(stat.path));
  const draft = `${file}.${process.pid}.part`;
  try {
    await pipeline(Readable.from(await bodyOf(store, stat, options), { objectMode: false }), createWriteStream(draft));
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  out.lines(
    `${out.theme.good(GLYPH.good)} ${shownPath(file, terminal.cwd)} holds ${stat.path}`,
    out.theme.dim(`  ${bytes(stat.size)}, ${stat.contentType}, ${stat.cid}`),
  );
  out.document({ file, path: stat.path, cid: stat.cid, sha256: stat.sha256, size: stat.size });
  return 0;
}

/** `isomorph artifact cat <worldpath> [--cid <cid>]`. */
export async function cat(context: Context, worldPath: string, options: CatOptions): Promise<number> {
  const store = await context.store();
  const stat = await statOf(store, canonicalWorldPath(worldPath, 'exact'));
  for await (const chunk of await bodyOf(store, stat, options)) await context.out.bytes(chunk);
  return 0;
}

async function* entriesOf(store: ArtifactStore, place: string): AsyncGenerator<{ path: string; size: number }> {
  const stat = place.endsWith('/') ? undefined : await store.stat(place);
  if (stat !== undefined) yield { path: stat.path, size: stat.size };
  const prefix = place.endsWith('/') ? place : `${place}/`;
  let cursor: string | undefined;
  do {
    const page = await store.list({ prefix, ...(cursor === undefined ? {} : { cursor }) });
    yield* page.entries;
    cursor = page.cursor;
  } while (cursor !== undefined);
}

const SIZE_WIDTH = 10;

/** `isomorph artifact ls [prefix]`. */
export async function ls(context: Context, place: string): Promise<number> {
  const { out } = context;
  const canonical = canonicalWorldPath(place);
  let count = 0;
  let total = 0;
  for await (const { path: worldPath, size } of entriesOf(await context.store(), canonical)) {
    count += 1;
    total += size;
    out.lines(`${bytes(size).padStart(SIZE_WIDTH)}  ${worldPath}`);
    out.document({ path: worldPath, size });
  }
  out.lines(out.theme.dim(`${bytes(total).padStart(SIZE_WIDTH)}  in ${plural(count, 'artifact')}`));
  return 0;
}

/** `isomorph artifact stat <worldpath>`. */
export async function stat(context: Context, worldPath: string): Promise<number> {
  const { out } = context;
  const found = await statOf(await context.store(), canonicalWorldPath(worldPath, 'exact'));
  const { path: canonical, cid, sha256, size, contentType } = found;
  out.lines(
    out.theme.bold(canonical),
    `  size    ${size} bytes`,
    `  type    ${contentType}`,
    `  cid     ${cid}`,
    `  sha256  ${sha256}`,
  );
  out.document({ path: canonical, cid, sha256, size, content_type: contentType });
  return 0;
}
