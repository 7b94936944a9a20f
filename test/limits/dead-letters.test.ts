import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import * as assert from 'uvu/assert';
import { cidOf } from '../../shared/hash/cid.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import { DEAD_KEPT_STREAM, type DeadLetter } from '../../shared/wire/dead.ts';
import { runCli } from '../cli/run-cli.ts';
import { scaledMs } from '../harness/slowness.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

const test = suite('dead letters of others stay');

/** So many of this size are more than the stream holds. */
const FLOOD = { commands: 1_200, bytes: 16 * 1024, atOnce: 40 } as const;

const KEPT_LETTERS = 256;

let its: TestStack;
test.before(async () => {
  its = await startTestStack({
    services: ['admission'],
    env: {
      ISOMORPH_PRINCIPALS: 'alice,bob',
      ISOMORPH_MAX_DEAD_BYTES: '2MiB',
      ISOMORPH_MAX_DEAD_LETTERS_A_PRINCIPAL: `${KEPT_LETTERS}`,
      ISOMORPH_MAX_WAITING_COMMANDS_A_PRINCIPAL: '2000',
      ISOMORPH_MAX_REFUSED_COMMANDS_PER_S_A_PRINCIPAL: '1000000',
    },
  });
});
test.after(() => its.stop());

const connectionOf = (name: string) => connectNats({ url: its.stack.info.nats.principals?.[name] ?? '', name });
const lettersOf = async (principal: string): Promise<number> => {
  const filter = { subjects_filter: `kept.*.${principal}.>` };
  const { state } = await (await jetstreamManager(its.core)).streams.info(DEAD_KEPT_STREAM, filter);
  return Object.values(state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
};
const listed = async (...args: string[]): Promise<readonly { principal: string; plan_id: string }[]> => {
  const ran = await runCli(['dead', ...args, '--json'], { env: { ISOMORPH_HOME: its.home } });
  return ran.documents()[0] as { principal: string; plan_id: string }[];
};

test('a principal that floods, under as many plan ids as it likes, pushes out letters of its own alone', async () => {
  const [alice, bob] = await Promise.all([connectionOf('alice'), connectionOf('bob')]);
  const cancel = (planId: string, more: object = {}) => JSON.stringify({ plan_id: planId, ...more });
  try {
    await heard(bob, 'dead.commands.bob.never-was', () => bob.request('plans.bob.cancel', cancel('never-was')));
    // The server copies a moment later.
    const kept = await jetstream(its.core).consumers.get(DEAD_KEPT_STREAM, { filter_subjects: 'kept.commands.bob.*' });
    assert.ok(await kept.next({ expires: scaledMs(30_000) }));
    const told = alice.subscribe('dead.commands.alice.>', { max: FLOOD.commands });
    await alice.flush();
    const padding = 'x'.repeat(FLOOD.bytes);
    for (let from = 0; from < FLOOD.commands; from += FLOOD.atOnce) {
      const bodies = Array.from({ length: FLOOD.atOnce }, (_, at) => cancel(`flood-${from + at}`, { padding }));
      await Promise.all(bodies.map((body) => alice.request('plans.alice.cancel', body, { timeout: scaledMs(10_000) })));
    }
    let last: DeadLetter | undefined;
    let count = 0;
    for await (const message of told) {
      last = message.json<DeadLetter>();
      count += 1;
    }
    assert.is(count, FLOOD.commands, 'each is told');
    const whole = cancel(last?.plan_id ?? '', { padding });
    assert.equal(
      [last?.body_truncated, last?.body_bytes, last?.body_cid],
      [true, whole.length, cidOf(whole)],
      'of a body that is not kept whole its size and hash are',
    );
    assert.is(await lettersOf('bob'), 1);
    assert.ok((await lettersOf('alice')) <= KEPT_LETTERS);
    assert.equal(
      (await listed('never-was')).map(({ principal, plan_id }) => [principal, plan_id]),
      [['bob', 'never-was']],
    );
    assert.equal(
      (await listed('--principal', 'alice', '--limit', '1')).map(({ principal }) => principal),
      ['alice'],
    );
  } finally {
    await Promise.all([alice.close(), bob.close()]);
  }
});

test.run();
