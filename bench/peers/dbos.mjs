/**
 * DBOS as a contender: the application calls its own registered workflow, as the guide shows, which is also the cheapest way.
 * `DATABASE_URL` is a database that is its own. Its history stays in it.
 */
import { DBOS } from '@dbos-inc/dbos-sdk';
import { serveLoads } from './loop.mjs';

/** More would only queue in Postgres: two cores serve no more statements at once. */
const POOL_SIZE = 20;

const nothing = async () => undefined;

const workflow = DBOS.registerWorkflow(
  async (/** @type {number} */ steps) => {
    if (steps === 1) await DBOS.runStep(nothing, { name: 'nothing' });
    else
      await Promise.allSettled(
        Array.from({ length: steps }, (_, n) => DBOS.runStep(nothing, { name: `nothing-${n}` })),
      );
  },
  { name: 'bench' },
);

DBOS.setConfig({
  name: 'bench',
  systemDatabaseUrl: process.env.DATABASE_URL,
  systemDatabasePoolSize: POOL_SIZE,
  enableOTLP: false,
  logLevel: 'error',
});
await DBOS.launch();
serveLoads(workflow, () => DBOS.shutdown());
