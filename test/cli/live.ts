import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { ensureTopology } from '../../services/setup/topology.ts';
import { Journal } from '../../shared/journal/journal.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import { acquireNatsServer } from '../../stack/nats/acquire.ts';
import { startNatsServer } from '../../stack/nats/server.ts';
import { commitsOf, START_MS } from './chain-fixture.ts';

const server = await acquireNatsServer({ env: process.env });

export interface Live {
  readonly connection: NatsConnection;
  /** Where stack.json names the server, as `isomorph dev` writes it. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly url: string;
}

const withLogin = (url: string, { user, pass }: { user: string; pass: string }): string =>
  url.replace('nats://', `nats://${user}:${pass}@`);

/** A ledger on a server of its own, and no service. */
export async function withLive(use: (live: Live) => Promise<void>): Promise<void> {
  const cwd = await mkdtemp(path.join(tmpdir(), 'isomorph-cli-'));
  const nats = await startNatsServer({ binary: server.path, dir: path.join(cwd, 'nats') });
  const login = (user: 'admin' | 'service' | 'auditor'): string => withLogin(nats.url, nats.credentials[user]);
  const connection = await connectNats({ url: login('admin'), name: 'test' });
  try {
    await ensureTopology(connection);
    const info = {
      v: 1,
      pid: process.pid,
      home: cwd,
      nats: { url: nats.url, auditorUrl: login('auditor'), serviceUrl: login('service') },
      postgres: { url: '' },
      adapters: ['mock'],
    };
    await writeFile(path.join(cwd, 'stack.json'), JSON.stringify(info));
    await use({ connection, cwd, env: { ISOMORPH_HOME: cwd }, url: login('service') });
  } finally {
    await connection.close();
    await nats.stop();
    await rm(cwd, { recursive: true, force: true });
  }
}

/** Writes the plan of the fixture as the services would; returns when `until` commits are stored. */
export async function writePlan(
  connection: NatsConnection,
  planId: string,
  from = 0,
  until = Number.POSITIVE_INFINITY,
) {
  for (const { by, atMs, drafts } of commitsOf(planId).slice(from, until)) {
    await new Journal({ connection, by, nowMs: () => START_MS + atMs }).append(planId, () => ({ drafts }));
  }
}
