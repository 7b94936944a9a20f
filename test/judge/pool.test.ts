import * as assert from 'uvu/assert';
import type { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { JudgePool, MAX_CPU_MS, MAX_KILLS } from '../../shared/judge/pool.ts';
import type { Answer, Question } from '../../shared/judge/question.ts';
import type { Killed } from '../../shared/judge/worker.ts';
import { suite } from '../harness/suite.ts';

const test = suite('judge: processes that do not start, or are killed');

const question = { kind: 'call', call: {}, pointer: '' } as unknown as Question;
const ANSWER: Answer = { kind: 'faults', faults: [] };

test('the question fails that has none to answer it, and the next is answered', async () => {
  let starts = 0;
  const start = () => {
    starts += 1;
    if (starts === 2 || starts === 3) throw new Error('spawn ENOMEM');
    const worker = { isAlive: true, end: () => undefined, ask: () => Promise.resolve(ANSWER) };
    // The first ends with its question; its replacement does not start.
    return starts > 1 ? worker : { ...worker, isAlive: false };
  };
  const pool = new JudgePool({ start });
  const asked = () => pool.ask('p', question).catch((error: Error) => error.message);
  assert.is(await asked(), 'spawn ENOMEM');
  assert.equal(await asked(), ANSWER);
  assert.is(starts, 4);
  pool.close();
});

/** Workers that are killed so many times by each question, then answer it. */
function killing(times: number) {
  let kills = 0;
  let asked = 0;
  const ask = async (): Promise<Answer | Killed> => {
    asked += 1;
    if (kills >= times) return ANSWER;
    kills += 1;
    return { kind: 'killed' };
  };
  const pool = new JudgePool({ start: () => ({ isAlive: true, end: () => undefined, ask }) });
  const answered = async (): Promise<Answer | string> => {
    for (;;) {
      const given = await pool.ask('p', question).catch(({ code, message }: IsomorphError) => `${code} ${message}`);
      if (given !== 'ERR_UNAVAILABLE the process that judges predicates was killed') return given;
    }
  };
  return { answered, asked: () => asked };
}

test('a judge that is killed as often as a question is asked has judged it: it needs more memory than there is', async () => {
  const { answered, asked } = killing(Number.POSITIVE_INFINITY);
  assert.equal(await answered(), { kind: 'exceeded', limit: 'room' });
  assert.is(asked(), MAX_KILLS);
});

test('killed less often it has not, and what was answered in between begins anew', async () => {
  const { answered, asked } = killing(MAX_KILLS - 1);
  assert.equal(await answered(), ANSWER);
  assert.is(asked(), MAX_KILLS);
});

test('a question that was slow is asked in the slow lane at once: one that finds no place costs no computing again', async () => {
  const limits: number[] = [];
  const ask = async (_: Question, limitMs: number): Promise<Answer> => {
    limits.push(limitMs);
    return { kind: 'exceeded', limit: 'time' };
  };
  const pool = new JudgePool({ start: () => ({ isAlive: true, end: () => undefined, ask }) });
  await pool.ask('p', question);
  await pool.ask('p', question);
  assert.equal(limits, [100, MAX_CPU_MS, MAX_CPU_MS]);
});

/** A pool whose questions take `costOf` ms of CPU, and what was asked in which lane. */
function costing(costOf: (pointer: string) => number) {
  const asked: string[] = [];
  let nowMs = 0;
  const ask = async (one: Question, limitMs: number): Promise<Answer> => {
    const { pointer } = one as Extract<Question, { kind: 'call' }>;
    asked.push(`${pointer} ${limitMs === MAX_CPU_MS ? 'slow' : 'quick'}`);
    if (costOf(pointer) > limitMs) return { kind: 'exceeded', limit: 'time' };
    return { kind: 'faults', faults: [{ code: 'ERR_PREDICATE', message: 'found', pointer }] };
  };
  const pool = new JudgePool({ start: () => ({ isAlive: true, end: () => undefined, ask }), nowMs: () => nowMs });
  const judged = async (asker: string, pointer: string, kind: Question['kind'] = 'call'): Promise<Answer> =>
    pool.ask(asker, { kind, call: {}, pointer } as unknown as Question);
  return {
    judged,
    pass: (ms: number) => {
      nowMs += ms;
    },
    taken: () => asked.splice(0),
  };
}

test('what the slow lane has answered is answered at once when it is asked again: a plan that was handed back goes on', async () => {
  const { judged, taken } = costing(() => 300);
  const first = await judged('p', '/0');
  assert.equal(taken(), ['/0 quick', '/0 slow']);
  assert.equal(await judged('p', '/0'), first);
  assert.equal(taken(), []);
});

test('who ends the quick worker three times asks in the slow lane for ten seconds, and nobody else does', async () => {
  const { judged, taken, pass } = costing((pointer) => (pointer.startsWith('/dear') ? 300 : 1));
  for (const n of [1, 2, 3]) await judged('mallory', `/dear/${n}`);
  taken();
  await judged('mallory', '/dear/4');
  await judged('mallory', '/cheap');
  await judged('mallory', '/cheap', 'value');
  await judged('alice', '/cheap');
  assert.equal(taken(), ['/dear/4 slow', '/cheap slow', '/cheap quick', '/cheap quick']);
  pass(10_001);
  await judged('mallory', '/cheap');
  assert.equal(taken(), ['/cheap quick']);
});

test.run();
