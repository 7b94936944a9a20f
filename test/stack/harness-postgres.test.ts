import pg from 'pg';
import * as assert from 'uvu/assert';
import { isAlive } from '../../stack/process.ts';
import { available, startPostgres } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';

const test = suite('harness starts Postgres');
const found = await available('postgres');
test.skipUnless(found.ok, found.ok ? '' : found.reason);

test('two at once are apart, and end when told to although clients are connected', async () => {
  const servers = await Promise.all([startPostgres(), startPostgres({ max_connections: '7' })]);
  const limits = [];
  for (const { url } of servers) {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    limits.push((await client.query('show max_connections')).rows[0].max_connections);
  }
  assert.equal(limits, ['100', '7']);
  await Promise.all(servers.map((server) => server.stop()));
  for (const { pid } of servers) assert.not(await isAlive(pid));
});

test.run();
