import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NatsConnection } from '@nats-io/transport-node';
import { ensureTopology } from '../../shared/nats/topology.ts';

export interface SetupDeps {
  /** Of a user who may create streams. */
  readonly connection: NatsConnection;
  /** Made when it is not there. */
  readonly gatewayKeyFile: string | undefined;
  /** Of a `file:` store the folder is made. */
  readonly artifactsUrl: string | undefined;
}

const KEY_BYTES = 32;

/** The key is made once: URLs and tokens that were handed out stay good. */
async function ensureKey(file: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  try {
    await writeFile(file, randomBytes(KEY_BYTES).toString('hex'), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/**
 * What must be there before the services start: streams and consumers, the key of the gateway, the folder of a `file:`
 * store. Safe to run again.
 */
export async function setUp({ connection, gatewayKeyFile, artifactsUrl }: SetupDeps): Promise<void> {
  await ensureTopology(connection);
  if (gatewayKeyFile !== undefined) await ensureKey(gatewayKeyFile);
  if (artifactsUrl?.startsWith('file:')) await mkdir(fileURLToPath(artifactsUrl), { recursive: true });
}
