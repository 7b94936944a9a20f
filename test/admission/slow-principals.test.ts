import * as assert from 'uvu/assert';
import { CONCURRENCY, MOST_SLOW } from '../../services/admission/service.ts';
import { Judge } from '../../shared/judge/judge.ts';
import { MAX_CPU_MS } from '../../shared/judge/pool.ts';
import type { Answer } from '../../shared/judge/question.ts';
import type { Consumption } from '../../shared/nats/consume.ts';
import { commandSubject } from '../../shared/wire/commands.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { scaledMs } from '../harness/slowness.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { admissionWith } from './live-admission.ts';

const test = suite('principals whose plans are slow to judge');

const FINE: Answer = { kind: 'faults', faults: [] };
const EXCEEDED: Answer = { kind: 'exceeded', limit: 'time' };

/** A judge whose costly questions last until they are released: the lanes are real, the processes are not. */
class HeldJudge {
  readonly judge: Judge;
  /** Costly questions that were asked so far. */
  asked = 0;
  onAsked: () => void = () => undefined;
  release: () => void = () => undefined;

  constructor() {
    const released = new Promise<Answer>((resolve) => {
      this.release = () => resolve(EXCEEDED);
    });
    const ask = async (question: unknown, limitMs: number): Promise<Answer> => {
      if (!JSON.stringify(question).includes('costly')) return FINE;
      if (limitMs >= MAX_CPU_MS) return released;
      this.asked += 1;
      this.onAsked();
      return EXCEEDED;
    };
    const start = () => ({ isAlive: true, end: () => this.release(), ask });
    this.judge = new Judge({ start, mostSlow: MOST_SLOW });
  }

  async whenAsked(times: number): Promise<void> {
    while (this.asked < times) {
      await new Promise<void>((resolve) => {
        this.onAsked = resolve;
      });
    }
  }
}

let its: TestStack;
let admission: Consumption;
const held = new HeldJudge();
test.before(async () => {
  its = await startTestStack({ services: [] });
  admission = await admissionWith(its, held.judge);
});
test.after(async () => {
  held.release();
  await admission.stop();
  await held.judge.close();
  await its.stop();
});

/** Of each plan another: one that is known to be slow is not tried in the quick lane again. */
const costly = (planId: string) => ({
  use: 'artifact.jmespath_ok@1',
  path: '/artifacts/inputs/x.json',
  expression: `"costly ${planId}"`,
});

test('however many they are, they leave slots for others: a plan of nobody in particular is admitted beside them', async () => {
  const principals = Array.from({ length: 5 }, (_, index) => `slow-${index}`);
  for (let number = 0; number < 6; number++) {
    for (const principal of principals) {
      const planId = `${principal}-${number}`;
      const body = JSON.stringify(probePlan(planId, {}, { predicates: [costly(planId)] }));
      await its.core.request(commandSubject('submit', principal), body, { timeout: scaledMs(10_000) });
    }
  }
  await held.whenAsked(CONCURRENCY);
  await heard(its.client, 'ledger.beside.plan.admitted', () => its.submit(probePlan('beside')));
  for (const principal of principals) assert.is((await its.read(`${principal}-0`)).state.phase, 'absent');
});

test.run();
