/**
 * The child process that serves PGlite on a loopback socket: `node bin/run.mjs pglite <data folder>`, with the port in
 * PGLITE_PORT (0 for any) and the password of its clients in PGLITE_PASSWORD. The data folder is the last argument because left-overs are found by it. Prints one line of JSON, `{"port": N}`, when it accepts connections. Ends in order at SIGTERM or when its standard input
 * ends, which happens by itself when its parent dies.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { ensureDataFolder } from './data-folder.ts';
import { DEMOTION } from './demotion.ts';
import { fenceExchanges } from './exchange-fence.ts';
import { guardSocket } from './password-gate.ts';

/** Five services with a pool of four, the command line and a margin; PGlite itself serves one statement at a time. */
const MAX_CONNECTIONS = 200;

const CACHE = process.env.ISOMORPH_CACHE || fileURLToPath(new URL('../../.cache', import.meta.url));

async function main(): Promise<void> {
  const dataDir = process.argv.at(2);
  if (dataDir === undefined) throw new Error('usage: node bin/run.mjs pglite <data folder>');
  await ensureDataFolder(dataDir, CACHE);
  const password = process.env.PGLITE_PASSWORD;
  if (password === undefined) throw new Error('PGLITE_PASSWORD is missing');
  const db = await PGlite.create(dataDir);
  await db.exec(DEMOTION);
  const broken = (thrown: unknown): void => {
    process.stderr.write(`the Postgres session broke: ${thrown instanceof Error ? thrown.stack : thrown}\n`);
    process.exit(1);
  };
  const inner = new PGLiteSocketServer({ db: fenceExchanges(db, broken), maxConnections: MAX_CONNECTIONS });
  // It listens nowhere itself: what it is given has told the password.
  const { handleConnection } = Object.assign(inner, { active: true }) as unknown as {
    handleConnection(socket: Socket): Promise<void>;
  };
  const server = createServer((socket) => {
    guardSocket(socket, password, (admitted) => void handleConnection.call(inner, admitted).catch(broken));
  });
  server.maxConnections = MAX_CONNECTIONS;

  let ending = false;
  const end = async (): Promise<void> => {
    if (ending) return;
    ending = true;
    server.close();
    await inner.stop();
    await db.close();
    process.exit(0);
  };
  const endOnce = (): void => void end().catch(broken);
  process.on('SIGTERM', endOnce);
  // An interrupt at the terminal is for the parent, which ends the database after the services that use it.
  process.on('SIGINT', () => undefined);
  process.stdin.on('end', endOnce).on('error', endOnce).resume();

  server.listen(Number(process.env.PGLITE_PORT ?? 0), '127.0.0.1');
  await once(server, 'listening');
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
}

await main();
