import * as assert from 'uvu/assert';
import { DEFAULT_LIMITS } from '../../services/common/config/limits.ts';
import { Judge } from '../../shared/judge/judge.ts';
import type { FaultsQuestion } from '../../shared/judge/question.ts';
import type { Consumption } from '../../shared/nats/consume.ts';
import { type CommandName, commandSubject } from '../../shared/wire/commands.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { scaledMs } from '../harness/slowness.ts';
import { heard, startTestStack, type TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { admissionWith } from './live-admission.ts';

const test = suite('admission is fair by principal', undefined, { timeoutMs: 180_000 });

/** What one principal asks is not answered until it is released. */
class HoldingJudge extends Judge {
  readonly #whose: string;
  release: () => void = () => undefined;
  readonly #released = new Promise<void>((resolve) => {
    this.release = resolve;
  });

  constructor(whose: string) {
    super();
    this.#whose = whose;
  }

  override async faults(asker: string, question: FaultsQuestion) {
    if (asker === this.#whose) await this.#released;
    return super.faults(asker, question);
  }
}

async function withAdmission(
  judge: Judge,
  use: (its: TestStack, start: () => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const its = await startTestStack({ services: ['dispatcher', 'settler'] });
  let admission: Consumption | undefined;
  try {
    await use(its, async () => {
      admission = await admissionWith(its, judge);
    });
  } finally {
    if (judge instanceof HoldingJudge) judge.release();
    await admission?.stop();
    await judge.close();
    await its.stop();
  }
}

const command = (its: TestStack, principal: string, name: CommandName, body: object) =>
  its.core.request(commandSubject(name, principal), JSON.stringify(body), { timeout: scaledMs(10_000) });

const hanging = (planId: string) => probePlan(planId, { params: { mode: 'hang' } });

const expecting = (expression: string) => ({ use: 'artifact.jmespath_ok@1', path: 'out.json', expression });

test('with as many plans of one waiting as may wait, those of others are admitted and cancelled', async () => {
  await withAdmission(new HoldingJudge('alice'), async (its, start) => {
    await start();
    const running = () => command(its, 'bob', 'submit', hanging('runs-of-bob'));
    await heard(its.core, 'ledger.runs-of-bob.execution.started', running);
    const { waitingCommands } = DEFAULT_LIMITS;
    // Also by naming a plan of his she holds up nothing.
    const hers = (number: number) => (number < 100 ? 'runs-of-bob' : `alice-${number}`);
    for (let number = 0; number < waitingCommands; number++) {
      const body = probePlan(hers(number), { predicates: [expecting('a')] });
      await command(its, 'alice', 'submit', body);
    }
    await heard(its.core, 'ledger.beside.plan.admitted', () => command(its, 'bob', 'submit', hanging('beside')));
    for (const planId of ['runs-of-bob', 'beside']) await command(its, 'bob', 'cancel', { plan_id: planId });
    assert.is((await its.ended('runs-of-bob')).settled?.status, 'cancelled');
    assert.is((await its.ended('beside')).settled?.status, 'cancelled');
    for (let number = 100; number < waitingCommands; number++) {
      assert.is((await its.read(hers(number))).state.phase, 'absent');
    }
  });
});

test.run();
