import { connect } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { publishCommand } from '../../cli/publish-command.ts';
import { DEFAULT_LIMITS } from '../../services/common/config/limits.ts';
import { ensureTopology } from '../../services/setup/topology.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { startNatsServer } from '../../stack/nats/server.ts';
import { suite } from '../harness/suite.ts';
import { natsBinary, withTempDir } from '../stack/fixture.ts';

const test = suite('commands that wait');

test('while nobody takes commands a principal may have so many waiting; the next is refused at once, those of others are not', () =>
  withTempDir(async (dir) => {
    const server = await startNatsServer({ binary: await natsBinary(), dir, principals: ['alice', 'bob'] });
    const as = (login: object) => connect({ servers: server.url, ...login });
    const [admin, alice, bob] = await Promise.all(
      [server.credentials.admin, server.principals.alice, server.principals.bob].map((login) => as(login ?? {})),
    );
    try {
      if (admin === undefined || alice === undefined || bob === undefined) throw new Error('no connection');
      await ensureTopology(admin, { limits: { ...DEFAULT_LIMITS, waitingCommands: 3 } });
      const body = new TextEncoder().encode('{"plan_id":"waits"}');
      const ofAlice = { connection: alice, principal: 'alice' };
      for (let at = 0; at < 3; at++) await publishCommand(ofAlice, 'submit', body);
      const refused: unknown = await publishCommand(ofAlice, 'submit', body).catch((error: unknown) => error);
      assert.instance(refused, IsomorphError);
      assert.is((refused as IsomorphError).code, 'ERR_LIMIT');
      await publishCommand(ofAlice, 'cancel', body);
      await publishCommand({ connection: bob, principal: 'bob' }, 'submit', body);
    } finally {
      await Promise.all([admin, alice, bob].map((connection) => connection?.close()));
      await server.stop();
    }
  }));

test.run();
