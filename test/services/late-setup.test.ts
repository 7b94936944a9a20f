import * as assert from 'uvu/assert';
import { startNatsServer } from '../../stack/nats/server.ts';
import { ServiceProcess } from '../harness/service-process.ts';
import { suite } from '../harness/suite.ts';
import { natsBinary, withTempDir } from '../stack/fixture.ts';

const test = suite('a setup that is up before its server', undefined, { timeoutMs: 180_000 });

const AWAY = 'what is needed at the start is away; it is tried again';

test('it says so once, waits, and ends when the server answers and what it is for is done', async () => {
  await withTempDir(async (dir) => {
    const binary = await natsBinary();
    const before = await startNatsServer({ binary, dir });
    const { port, credentials } = before;
    await before.stop();
    const { user, pass } = credentials.admin;
    const setup = new ServiceProcess('setup', { NATS_URL: `nats://${user}:${pass}@127.0.0.1:${port}` });
    try {
      assert.is((await setup.logged((line) => line.includes(AWAY))).length, 1);
      const server = await startNatsServer({ binary, dir, port });
      try {
        await setup.ended();
        assert.is(setup.hasEndedByItself, true);
        assert.match(setup.log, '"msg":"done"');
      } finally {
        await server.stop();
      }
    } finally {
      await setup.stop();
    }
  });
});

test('it ends when it is told to, also while it waits', async () => {
  const setup = new ServiceProcess('setup', { NATS_URL: 'nats://admin:any@127.0.0.1:1' });
  await setup.logged((line) => line.includes(AWAY));
  await setup.stop();
});

test.run();
