/** A Postgres that is stopped refuses nothing: without this nobody would hear of it. */
import pg from 'pg';
import * as assert from 'uvu/assert';
import { tellOfSilence } from '../../services/projector/silence.ts';
import { startPglite } from '../../stack/postgres/pglite.ts';
import { suite } from '../harness/suite.ts';
import { withTempDir } from '../stack/fixture.ts';

const test = suite('a Postgres that says nothing');

/** Resolves with the first thing that is told. */
function told(pool: pg.Pool): { readonly first: Promise<string>; readonly all: string[] } {
  const all: string[] = [];
  const first = new Promise<string>((resolve) => {
    const warn = (_: unknown, message: string): void => {
      all.push(message);
      resolve(message);
    };
    tellOfSilence(pool, { warn } as never, 50);
  });
  return { first, all };
}

test('one that is stopped is told of, once a minute, and what was asked of it is answered when it goes on', () =>
  withTempDir(async (dir) => {
    const server = await startPglite({ dir });
    const pool = new pg.Pool({ connectionString: server.url, max: 2 });
    try {
      assert.equal((await pool.query('select 1 as one')).rows, [{ one: 1 }]);
      const { first, all } = told(pool);
      process.kill(server.pid, 'SIGSTOP');
      const asked = pool.query('select 2 as two');
      assert.match(await first, 'Postgres has not answered');
      process.kill(server.pid, 'SIGCONT');
      assert.equal((await asked).rows, [{ two: 2 }]);
      assert.is(all.length, 1);
    } finally {
      process.kill(server.pid, 'SIGCONT');
      await pool.end();
      await server.stop();
    }
  }));

test.run();
