import { jetstreamManager } from '@nats-io/jetstream';
import * as assert from 'uvu/assert';
import { delay } from '../../shared/async/delay.ts';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { hashEvent, type RawEvent } from '../../shared/ledger/envelope.ts';
import { publish } from '../../shared/nats/publish.ts';
import { readStream } from '../../shared/nats/read.ts';
import { CONSUMERS, workConsumer } from '../../shared/wire/consumers.ts';
import { DEAD_STREAM } from '../../shared/wire/dead.ts';
import { LEDGER_STREAM, planSubjects } from '../../shared/wire/ledger.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';

/** At 8ebb686 the services took such an event for none, and wrote a second one with its seq beside it. */
const test = suite('services beside a later version', undefined, { timeoutMs: 240_000 });

let its: TestStack;
test.before(async () => {
  its = await startTestStack();
});
test.after(() => its.stop());

/** What a later version appends to a plan while services of this one are at work on it; returns its message. */
async function appendAsLater(planId: string, change: Record<string, unknown>): Promise<{ raw: RawEvent; seq: number }> {
  for (;;) {
    const { head, lastSeq } = await its.read(planId);
    const open = {
      by: 'admission',
      data: { reason: 'client', note: 'a field of later' },
      kind: 'plan.cancel_requested',
      plan_id: planId,
      prev_hash: head.hash,
      seq: head.seq + 1,
      ts: head.ts ?? '',
      v: 1,
      ...change,
    };
    const raw = { ...open, this_hash: hashEvent(open) };
    try {
      const { seq } = await publish(its.core, `ledger.${planId}.${raw.kind}`, canonicalText(raw), {
        expect: { lastSubjectSequence: lastSeq, lastSubjectSequenceSubject: planSubjects(planId) },
      });
      return { raw, seq };
    } catch (error) {
      // One of the services was first: it has not heard of the event yet.
      if (!/wrong last sequence/.test(String(error))) throw error;
    }
  }
}

const lastOf = async (planId: string): Promise<number> => {
  let last = 0;
  for await (const { seq } of readStream(its.core, {
    stream: LEDGER_STREAM,
    filter: planSubjects(planId),
    fromSeq: 1,
  })) {
    last = seq;
  }
  return last;
};

const deliveredAgain = async (): Promise<number[]> => {
  const jsm = await jetstreamManager(its.core);
  const places = [CONSUMERS.dispatcher, CONSUMERS.settler, workConsumer('mock')];
  const infos = await Promise.all(places.map(({ stream, durable }) => jsm.consumers.info(stream, durable)));
  return infos.map(({ num_ack_pending: pending }) => pending);
};

for (const [what, change] of [
  ['a kind', { kind: 'plan.paused', v: 1, data: {} }],
  ['one more v of a kind', { v: 9 }],
] as const) {
  test(`behind ${what} of later they write nothing and give nothing up, and other plans go on`, async () => {
    const planId = `later-${what.length}`;
    const running = probePlan(planId, { params: { work_ms: 1_500 } });
    await heard(its.client, `ledger.${planId}.execution.started`, () => its.submit(running));
    const { seq } = await appendAsLater(planId, change);
    // Its run ends, its followers come by, a client wants to cancel it.
    await its.client.request('plans.cancel', JSON.stringify({ plan_id: planId }), { timeout: 10_000 });
    await its.submit(probePlan(`other-${what.length}`));
    assert.is((await its.ended(`other-${what.length}`)).settled?.status, 'succeeded');
    // Everyone who works on the plan holds its messages: the dispatcher its commit and its execution, the settler its commit.
    while ((await deliveredAgain()).some((pending) => pending === 0)) await delay(100);
    const jsm = await jetstreamManager(its.core);
    // The cancellation is taken, and neither acknowledged nor dead.
    while ((await jsm.consumers.info(CONSUMERS.admission.stream, CONSUMERS.admission.durable)).num_redelivered === 0) {
      await delay(100);
    }
    assert.is(await lastOf(planId), seq, 'nothing stands behind the event of later');
    const { standing, foreign } = await its.read(planId);
    assert.equal([standing.kind, foreign.size], ['newer', 0]);
    assert.is((await jsm.streams.info(DEAD_STREAM)).state.messages, 0);
  });
}

test.run();
