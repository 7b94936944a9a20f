/** A parent that a test can end as it likes: starts a server of the stack, prints its pid, stays. `<nats|pglite> <dir>` */

import { lockHome } from '../../stack/home-lock.ts';
import { acquireNatsServer } from '../../stack/nats/acquire.ts';
import { startNatsServer } from '../../stack/nats/server.ts';
import { startPglite } from '../../stack/postgres/pglite.ts';

const [what, dir = ''] = process.argv.slice(2);

async function start(): Promise<number> {
  if (what === 'nats') {
    const { path } = await acquireNatsServer({ env: process.env });
    return (await startNatsServer({ binary: path, dir })).pid;
  }
  if (what === 'pglite') return (await startPglite({ dir })).pid;
  await lockHome(dir);
  return process.pid;
}

process.stdout.write(`${await start()}\n`);
process.stdin.on('end', () => process.exit(0)).resume();
setInterval(() => undefined, 60_000);
