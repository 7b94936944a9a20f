import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { DEFAULT_LIMITS } from '../../services/common/config/limits.ts';
import { setUp } from '../../services/setup/service.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import { ALL_CONSUMERS, CONSUMERS } from '../../shared/wire/consumers.ts';
import { startNatsServer } from '../../stack/nats/server.ts';
import { startTestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { type LeftBehind, layOut, leaveBehind, CONSUMERS as OLD_CONSUMERS, PLAN, projectFolder } from './edition-1.ts';
import { natsBinary, withTempDir } from './fixture.ts';

const test = suite('upgrade from 8ebb686');

const command = {
  plan_id: 'waiting',
  budget: { limit_usd_micro: 10_000 },
  steps: [{ id: 'flaky', processor: 'demo/flaky@1', params: { fail_attempts: 0 } }],
};

test('what its services left is finished; they themselves get no work and cannot write', async () => {
  let left: LeftBehind | undefined;
  const its = await startTestStack({
    registry: projectFolder('registry'),
    processors: projectFolder('processors'),
    prepare: async (home) => {
      left = await leaveBehind(home, command);
    },
  });
  try {
    const { login, followed } = left as unknown as LeftBehind;
    const plans = await Promise.all([its.ended(PLAN), its.ended('waiting')]);
    for (const { planId, settled } of plans)
      assert.is(settled?.status, 'succeeded', `${planId} ${JSON.stringify(settled)}`);

    const servers = its.stack.info.nats.url;
    const refused = await connect({ servers, ...login, reconnect: false }).catch(({ name }: Error) => name);
    assert.is(refused, 'AuthorizationError', 'a service of then can neither take work nor write');

    const jsm = await jetstreamManager(its.core);
    for (const { stream, durable } of OLD_CONSUMERS) {
      const names = (await jsm.consumers.list(stream).next()).map(({ name }) => name);
      assert.not(names.includes(durable), `${stream} ${durable}`);
    }
    const { config } = await jsm.consumers.info(CONSUMERS.dispatcher.stream, CONSUMERS.dispatcher.durable);
    assert.is(config.opt_start_seq, followed + 1, 'what was reacted to is not read again');
  } finally {
    await its.stop();
  }
});

test('a setup that was killed half-way, or runs beside another, is made good by the next', async () => {
  await withTempDir(async (dir) => {
    const server = await startNatsServer({ binary: await natsBinary(), dir });
    const { user, pass } = server.credentials.admin;
    const connection = await connectNats({ url: `nats://${user}:${pass}@127.0.0.1:${server.port}`, name: 'admin' });
    try {
      const jsm = await jetstreamManager(connection);
      await layOut(jsm);
      // Killed after the first consumer of a work queue was removed, before there was another.
      await jsm.consumers.delete('COMMANDS', 'admission');
      const deps = { connection, gatewayKeyFile: undefined, artifactsUrl: undefined, limits: DEFAULT_LIMITS };
      await Promise.all([setUp(deps), setUp(deps), setUp(deps)]);
      await setUp(deps);
      for (const stream of ['COMMANDS', 'LEDGER', 'WORK', 'FACTS']) {
        const found = (await jsm.consumers.list(stream).next()).map(({ name }) => name).sort();
        const wanted = ALL_CONSUMERS.filter((one) => one.stream === stream).map(({ durable }) => durable);
        assert.equal(found, wanted.sort(), stream);
      }
    } finally {
      await connection.close();
      await server.stop();
    }
  });
});

test.run();
