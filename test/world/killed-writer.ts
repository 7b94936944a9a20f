/** kill -9 amid 200 concurrent puts, for any store that a URL opens. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { cidOf } from '../../shared/hash/cid.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { listAll, OLD } from './samples.ts';

const WRITER = fileURLToPath(new URL('./put-many.ts', import.meta.url));

export interface KilledStore {
  readonly url: string;
  /** Environment of the writer, e.g. its credentials. */
  readonly env?: NodeJS.ProcessEnv;
  /** Size of one object in twenty. */
  readonly largestBytes: number;
}

/** Runs the writer and kills it when it has reported so many puts; returns what it reported. */
export async function killedWriter(
  { url, env, largestBytes }: KilledStore,
  round: number,
  killAfter: number,
): Promise<ReadonlyMap<string, string>> {
  const child = spawn(process.execPath, ['--import', 'tsx', WRITER, url, String(round), String(largestBytes)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const reported = new Map<string, string>();
  for await (const line of createInterface({ input: child.stdout })) {
    const [path = '', cid] = line.split(' ');
    if (cid !== undefined) reported.set(path, cid);
    if ((path === 'ready' || cid !== undefined) && reported.size >= killAfter) child.kill('SIGKILL');
  }
  await ended;
  return reported;
}

/** Every visible object is whole and described by its own metadata; returns path → CID. */
export async function checkWhole(store: ArtifactStore): Promise<ReadonlyMap<string, string>> {
  const seen = new Map<string, string>();
  for (const { path, size } of await listAll(store, '/artifacts/', 50)) {
    const found = await store.stat(path);
    const bytes = await store.getBytes({ worldPath: path });
    assert.is(found?.cid, cidOf(bytes), path);
    assert.is(found?.sha256, createHash('sha256').update(bytes).digest('hex'), path);
    assert.is(found?.size, bytes.byteLength, path);
    assert.is(size, bytes.byteLength, path);
    assert.is(found?.contentType, 'image/png', path);
    seen.set(path, found?.cid ?? '');
  }
  return seen;
}

/** Writers killed early, late and not at all: what is listed is whole, what was reported is there, the rest is swept. */
export async function surviveKills(subject: KilledStore, store: ArtifactStore, tomorrow: ArtifactStore): Promise<void> {
  for (const [round, killAfter] of [0, 1, 10, 60].entries()) {
    const reported = await killedWriter(subject, round, killAfter);
    assert.ok(reported.size >= killAfter);
    const seen = await checkWhole(store);
    for (const [path, cid] of reported) assert.is(seen.get(path), cid, path);
  }
  // What the killed ones began, a later writer can finish, and the leftovers can be swept.
  const reported = await killedWriter(subject, 0, 1000);
  assert.ok(reported.size > 0);
  await checkWhole(store);
  await tomorrow.sweepUploads(OLD);
  assert.is(await tomorrow.sweepUploads(OLD), 0);
  assert.is((await checkWhole(store)).size, (await listAll(store, '/artifacts/')).length);
}
