import pino from 'pino';
import * as assert from 'uvu/assert';
import { followLedger } from '../../services/common/follow-ledger.ts';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { Journal } from '../../shared/journal/journal.ts';
import { seal } from '../../shared/ledger/chain.ts';
import { publish } from '../../shared/nats/publish.ts';
import { CONSUMERS } from '../../shared/wire/consumers.ts';
import { suite } from '../harness/suite.ts';
import { withLive } from '../ledger/live.ts';
import { admit, PLAN } from '../ledger/live-journal.ts';
import { settled } from '../ledger/plan-history.ts';

const test = suite('commits of a quarantined plan');

test('are kept for a later version: handed back for a minute, never dead', async () => {
  await withLive(async (server) => {
    const connection = await server.connect();
    const { head } = await admit(connection);
    const [illegal] = seal(head, [settled('succeeded', 7)], { planId: PLAN, by: 'settler', nowMs: Date.now() });
    await publish(connection, `ledger.${PLAN}.plan.settled`, canonicalText(illegal));
    const answers = connection.subscribe('$JS.ACK.>');
    await connection.flush();
    const following = await followLedger({
      deps: { connection, log: pino({ level: 'silent' }), nowMs: Date.now, onForeign: () => undefined },
      consumer: CONSUMERS.dispatcher,
      journal: new Journal({ connection, by: 'dispatcher' }),
      react: async () => undefined,
    });
    let refusal = '';
    for await (const answer of answers) {
      refusal = answer.string();
      if (/^-NAK|^\+TERM/.test(refusal)) break;
    }
    await following.stop();
    assert.match(refusal, /^-NAK .*60000000000/);
  });
});

test.run();
