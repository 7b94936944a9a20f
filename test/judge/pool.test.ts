import * as assert from 'uvu/assert';
import { JudgePool } from '../../shared/judge/pool.ts';
import type { Answer, Question } from '../../shared/judge/question.ts';
import { suite } from '../harness/suite.ts';

const test = suite('judge: where no process can be started');

const question = { kind: 'call', call: {}, pointer: '' } as unknown as Question;
const ANSWER: Answer = { kind: 'faults', faults: [] };

test('the question fails that has none to answer it, and the next is answered', async () => {
  let starts = 0;
  const pool = new JudgePool(() => {
    starts += 1;
    if (starts === 2 || starts === 3) throw new Error('spawn ENOMEM');
    const worker = { isAlive: true, end: () => undefined, ask: () => Promise.resolve(ANSWER) };
    // The first ends with its question; its replacement does not start.
    return starts > 1 ? worker : { ...worker, isAlive: false };
  });
  const asked = () => pool.ask('p', question).catch((error: Error) => error.message);
  assert.is(await asked(), 'spawn ENOMEM');
  assert.equal(await asked(), ANSWER);
  assert.is(starts, 4);
  pool.close();
});

test.run();
