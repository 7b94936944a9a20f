/**
 * The child process that serves PGlite on a loopback socket: `node bin/run.mjs pglite <data folder>`, with the port in
 * PGLITE_PORT (0 for any). The data folder is the last argument because left-overs are found by it. Prints one line of JSON, `{"port": N}`, when it accepts connections. Ends in order at SIGTERM or when its standard input
 * ends, which happens by itself when its parent dies.
 */
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { ensureDataFolder } from './data-folder.ts';
import { fenceExchanges } from './exchange-fence.ts';

/** Five services with a pool of four, the command line and a margin; PGlite itself serves one statement at a time. */
const MAX_CONNECTIONS = 200;

const CACHE = process.env.ISOMORPH_CACHE || fileURLToPath(new URL('../../.cache', import.meta.url));

async function main(): Promise<void> {
  const dataDir = process.argv.at(2);
  if (dataDir === undefined) throw new Error('usage: node bin/run.mjs pglite <data folder>');
  await ensureDataFolder(dataDir, CACHE);
  const db = await PGlite.create(dataDir);
  const broken = (thrown: unknown): void => {
    process.stderr.write(`the Postgres session broke: ${thrown instanceof Error ? thrown.stack : thrown}\n`);
    process.exit(1);
  };
  const server = new PGLiteSocketServer({
    db: fenceExchanges(db, broken),
    host: '127.0.0.1',
    port: Number(process.env.PGLITE_PORT ?? 0),
    maxConnections: MAX_CONNECTIONS,
  });

  let ending = false;
  const end = async (): Promise<void> => {
    if (ending) return;
    ending = true;
    await server.stop();
    await db.close();
    process.exit(0);
  };
  const endOnce = (): void => void end().catch(broken);
  process.on('SIGTERM', endOnce);
  // An interrupt at the terminal is for the parent, which ends the database after the services that use it.
  process.on('SIGINT', () => undefined);
  process.stdin.on('end', endOnce).on('error', endOnce).resume();

  await server.start();
  process.stdout.write(`${JSON.stringify({ port: Number(new URL(`tcp://${server.getServerConn()}`).port) })}\n`);
}

await main();
