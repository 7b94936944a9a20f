import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NatsConnection } from '@nats-io/transport-node';
import { requireNewEnough } from '../../shared/nats/server-version.ts';
import type { Limits } from '../common/config/limits.ts';
import { ensureTopology, type TopologyOptions } from './topology.ts';

export interface SetupDeps extends Pick<TopologyOptions, 'onFitted'> {
  /** Of a user who may create streams. */
  readonly connection: NatsConnection;
  /** Made when it is not there. */
  readonly gatewayKeyFile: string | undefined;
  /** Of a `file:` store the folder is made. */
  readonly artifactsUrl: string | undefined;
  readonly limits: Limits;
  /** Free on the disk of the streams; undefined where nobody can look. */
  readonly freeBytes?: number | undefined;
}

const KEY_BYTES = 32;

/** The key is made once, whole or not at all: URLs and tokens that were handed out stay good. */
async function ensureKey(file: string): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(draft, randomBytes(KEY_BYTES).toString('hex'), { mode: 0o600, flush: true });
  try {
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
}

/**
 * What must be there before the services start: streams and consumers, the key of the gateway, the folder of a `file:`
 * store. Safe to run again.
 */
export async function setUp({ connection, gatewayKeyFile, artifactsUrl, ...topology }: SetupDeps): Promise<void> {
  requireNewEnough(connection.info?.version);
  await ensureTopology(connection, topology);
  if (gatewayKeyFile !== undefined) await ensureKey(gatewayKeyFile);
  if (artifactsUrl?.startsWith('file:')) await mkdir(fileURLToPath(artifactsUrl), { recursive: true });
}
