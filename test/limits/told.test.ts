import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { limitTeller } from '../../services/common/tell-limit.ts';
import { suite } from '../harness/suite.ts';

const test = suite('limits are told');

test('at 80 % and when it is hit, each once and then once a minute, of whomever it is', () => {
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line: string) => void lines.push(line) });
  let nowMs = 0;
  const tell = limitTeller(log, () => nowMs);
  const use = (used: number, of = 'p'): void => tell({ limit: 'keys', of, used, most: 10 });
  const told = (): unknown[] =>
    lines.splice(0).map((line) => {
      const { of, used, most, times, msg } = JSON.parse(line);
      return [of, used, most, times, msg];
    });
  for (let used = 1; used <= 7; used++) use(used);
  assert.equal(told(), []);
  for (let used = 8; used <= 20; used++) use(used);
  assert.equal(told(), [
    ['p', 8, 10, 1, 'a limit is used to 80 %'],
    ['p', 10, 10, 1, 'a limit is hit'],
  ]);
  use(9, 'q');
  assert.equal(told(), [['q', 9, 10, 1, 'a limit is used to 80 %']]);
  nowMs = 60_000;
  use(11);
  assert.equal(told(), [['p', 11, 10, 11, 'a limit is hit']]);
});

test.run();
