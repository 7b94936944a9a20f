import { jetstreamManager } from '@nats-io/jetstream';
import pino from 'pino';
import * as assert from 'uvu/assert';
import { consumeFor } from '../../services/common/consume.ts';
import { remakeConsumer } from '../../services/common/consumers.ts';
import { tellOfConnection } from '../../services/common/tell-connection.ts';
import { ensureTopology } from '../../services/setup/topology.ts';
import { OnceAMinute, reasonOf } from '../../shared/async/once-a-minute.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { DONE } from '../../shared/nats/disposition.ts';
import { publish } from '../../shared/nats/publish.ts';
import { CONSUMERS } from '../../shared/wire/consumers.ts';
import { LEDGER_STREAM } from '../../shared/wire/ledger.ts';
import { watchTopology } from '../../stack/topology-watch.ts';
import { suite } from '../harness/suite.ts';
import { withLive } from '../ledger/live.ts';
import { Relay } from '../scratch/relay.ts';
import { CONSUMER, gate, silent, withConsumer } from './live-consumer.ts';

const test = suite('consumers and streams that are gone');

/** A logger, and the first line of it that speaks of `word`. */
function heardOf(word: string): { readonly log: pino.Logger; readonly line: Promise<string> } {
  const told = gate<string>();
  const write = (line: string): void => {
    if (line.includes(word)) told.open(line);
  };
  return { log: pino({ level: 'warn' }, { write }), line: told.promise };
}

test('a consumer that is deleted under a loop is told and made anew by the loop; nothing is lost', () =>
  withConsumer(async (its) => {
    const [first, second] = [gate(), gate()];
    const { log, line } = heardOf('made anew');
    await its.start(
      async (message) => {
        (message.string() === 'before' ? first : second).open();
        return DONE;
      },
      { log },
    );
    await its.send('before');
    await first.promise;
    const { consumers } = await jetstreamManager(its.connection);
    await consumers.delete(CONSUMER.stream, CONSUMER.durable);
    await its.send('after');
    await second.promise;
    assert.match(await line, CONSUMER.durable);
  }));

test('a server that says nothing when a service starts is not taken for one without the consumer', () =>
  withConsumer(async (_, server) => {
    const relay = new Relay();
    relay.targetPort = server.port;
    const connection = await server.connect(Number((await relay.listen()).split(':')[1]));
    relay.isSilent = true;
    const keyOf = () => '';
    const handle = async () => DONE;
    const started = consumeFor(
      { connection, log: silent },
      { consumer: CONSUMER, keyOf, handle, concurrency: 1, principalOf: async () => undefined },
    );
    await started.then(
      () => assert.unreachable('nobody answered'),
      (error: IsomorphError) => {
        assert.is(error.code, 'ERR_UNAVAILABLE');
        assert.match(error.message, /^NATS does not answer for FACTS: /);
      },
    );
    relay.isSilent = false;
    await relay.close();
  }));

test('a stream that is deleted under a loop is told, and the loop goes on when setup has made it anew', () =>
  withConsumer(async (its, server) => {
    const done = gate();
    const { log, line } = heardOf(`the stream ${CONSUMER.stream} is gone`);
    await its.start(
      async () => {
        done.open();
        return DONE;
      },
      { log },
    );
    const admin = await server.connectAdmin();
    await (await jetstreamManager(admin)).streams.delete(CONSUMER.stream);
    await line;
    await ensureTopology(admin);
    await its.send('after');
    await done.promise;
  }));

test('a ledger that is gone is told, and never made anew: another one in its place would be no ledger', () =>
  withLive(async (server) => {
    const connection = await server.connectAdmin();
    const jsm = await jetstreamManager(connection);
    await jsm.streams.delete(LEDGER_STREAM);
    const told = gate<IsomorphError>();
    const setUp = async (): Promise<void> => told.open(new IsomorphError('ERR_INTERNAL', 'it was made anew'));
    const watch = watchTopology({
      connection,
      log: pino({ level: 'silent' }),
      setUp,
      onLedgerGone: told.open,
      everyMs: 20,
    });
    assert.is((await told.promise).code, 'ERR_LEDGER_GONE');
    await watch.stop();
    const refusal = await ensureTopology(connection).catch((error: unknown) => error);
    assert.is((refusal as IsomorphError).code, 'ERR_LEDGER_GONE');
    assert.not((await jsm.streams.names().next()).includes(LEDGER_STREAM));
  }));

test('a follower of the ledger that is made anew begins at the oldest open plan', () =>
  withLive(async (server) => {
    const connection = await server.connect();
    const { consumers } = await jetstreamManager(connection);
    const { stream, durable } = CONSUMERS.settler;
    const remade = async (reachedSeq?: number): Promise<unknown> => {
      await consumers.delete(stream, durable);
      await remakeConsumer(connection, CONSUMERS.settler, reachedSeq);
      return (await consumers.info(stream, durable)).config.opt_start_seq;
    };
    const append = async (...subjects: string[]): Promise<void> => {
      for (const subject of subjects) await publish(connection, `ledger.${subject}`, '{}');
    };
    await append('a.plan.admitted', 'b.plan.rejected', 'a.plan.settled');
    assert.is(await remade(), 4, 'all have ended');
    await append('c.plan.admitted', 'd.plan.admitted', 'c.execution.started', 'd.plan.settled');
    assert.is(await remade(), 4, 'c is open');
    assert.is(await remade(6), 4, 'this process had got further');
    assert.is(await remade(2), 2, 'this process had not got so far');
    await append('c.plan.settled');
    assert.is(await remade(), 9);
  }));

test('while the consumer of the edition before is there, the new one is for setup to make', () =>
  withLive(async (server) => {
    const connection = await server.connectAdmin();
    const { consumers } = await jetstreamManager(connection);
    const { stream, durable, replaces } = CONSUMERS.settler;
    await consumers.delete(stream, durable);
    await consumers.add(stream, { durable_name: replaces, ack_policy: 'explicit' });
    const refusal = await remakeConsumer(connection, CONSUMERS.settler, undefined).catch((error: unknown) => error);
    assert.instance(refusal, IsomorphError);
    assert.match((refusal as IsomorphError).message, 'setup was not run');
  }));

test('what lasts is told at once and then once a minute, with how often it came', () => {
  let nowMs = 0;
  const often = new OnceAMinute(() => nowMs);
  const told = (): (number | undefined)[] => ['a', 'a', 'b'].map((what) => often.due(what));
  assert.equal(told(), [1, undefined, 1]);
  nowMs = 59_999;
  assert.equal(told(), [undefined, undefined, undefined]);
  nowMs = 60_000;
  assert.equal(told(), [4, undefined, 2]);
});

test('a server of NATS that goes away is told once at once, and when it is back', () =>
  withLive(async (server) => {
    const connection = await server.connect();
    const told: string[] = [];
    const back = gate();
    const write = (line: string): void => {
      told.push((JSON.parse(line) as { msg: string }).msg);
      if (line.includes('NATS is back')) back.open();
    };
    void tellOfConnection(connection, pino({}, { write }));
    await server.killAndRestart();
    await back.promise;
    assert.equal(told, ['NATS cannot be reached; it is tried again', 'NATS is back']);
  }));

test('one server that is away is one reason, whatever plan or path it was needed for', () => {
  const away = (message: string): string => reasonOf(new IsomorphError('ERR_UNAVAILABLE', message));
  assert.is(away('ledger.a.plan.settled: timeout'), away('ledger.b.execution.started: timeout'));
  assert.is.not(away('redis get: the server cannot be reached'), away('put /artifacts/a: EIO'));
});

test.run();
