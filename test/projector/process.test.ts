/** The projector as a process of its own, which is killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { fsck } from '../../shared/fsck/fsck.ts';
import { migrate } from '../../shared/projection/migrate.ts';
import { suite } from '../harness/suite.ts';
import { type Postgres, startTestPostgres, type TestWorld, withWorld } from './world-fixture.ts';

const test = suite('projector process');
const MAIN = fileURLToPath(new URL('../../bin/run.mjs', import.meta.url));

let postgres: Postgres;

test.before(async () => {
  postgres = await startTestPostgres();
});

test.after(async () => {
  await postgres.stop();
});

const spawnProjector = ({ env }: TestWorld): ChildProcess =>
  spawn(process.execPath, [MAIN, 'service', 'projector'], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });

test('killed again and again while plans run, it has every event once in the end', async () => {
  await withWorld(postgres, async (world) => {
    let position = await world.author.wholeLife('first');
    for (const round of ['a', 'b', 'c']) {
      const child = spawnProjector(world);
      const exited = once(child, 'exit');
      const names = Array.from({ length: 10 }, (_, index) => `${round}-${index}`);
      const writing = Promise.all(names.map((name) => world.author.wholeLife(name)));
      // It dies as soon as it has done something, with more before it.
      await world.projectedTo(position);
      child.kill('SIGKILL');
      await exited;
      position = Math.max(...(await writing));
    }
    await world.startProjector();
    await world.projectedTo(position);
    const report = await fsck(world);
    assert.equal(report.findings, []);
    assert.equal([report.ledger.plans.length, report.postgres?.lag], [31, 0]);
  });
});

test('a Postgres that was projected from another ledger ends it with exit code 1 and the place', async () => {
  await withWorld(postgres, async (world) => {
    await migrate(world.pool);
    await world.query('update isomorph.position set stream_seq = 4711');
    const child = spawnProjector(world);
    let errors = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    assert.equal(await once(child, 'close'), [1, null]);
    assert.match(errors, /ERR_CHAIN_BROKEN: Postgres has message 4711 of LEDGER/);
  });
});

test.run();
