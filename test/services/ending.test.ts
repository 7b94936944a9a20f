import * as assert from 'uvu/assert';
import { PlanQuestions, unlessItMustEnd } from '../../services/common/must-end.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { suite } from '../harness/suite.ts';

const test = suite('who waits for a store or a judge');

const silent = (): Promise<string> => new Promise(() => undefined);
const codeOf = ({ code }: { readonly code: string }): string => code;

test('a plan that has to end goes on without a store that says nothing, and asks it nothing more', async () => {
  const ending = new PlanQuestions(true);
  assert.is(await unlessItMustEnd(ending, silent, codeOf), 'ERR_UNAVAILABLE');
  const asked: string[] = [];
  const ask = async (): Promise<string> => {
    asked.push('again');
    return 'answer';
  };
  assert.equal([await unlessItMustEnd(ending, ask, codeOf), asked], ['ERR_UNAVAILABLE', []]);
});

test('a plan that is asked to end while somebody waits for it is not waited for either', async () => {
  const ending = new PlanQuestions(false);
  const waiting = unlessItMustEnd(ending, silent, codeOf);
  ending.tell();
  assert.is(await waiting, 'ERR_UNAVAILABLE');
});

test('an answer in time counts; a refusal is the plan’s only when it has to end', async () => {
  const refusal = async (): Promise<string> => {
    throw new IsomorphError('ERR_REFUSED', 'no');
  };
  assert.is(await unlessItMustEnd(new PlanQuestions(true), async () => 'answer', codeOf), 'answer');
  assert.is(await unlessItMustEnd(true, refusal, codeOf), 'ERR_REFUSED');
  const thrown = await unlessItMustEnd(false, refusal, codeOf).catch((error: unknown) => error);
  assert.is(thrown instanceof IsomorphError && thrown.code, 'ERR_REFUSED');
});

test.run();
