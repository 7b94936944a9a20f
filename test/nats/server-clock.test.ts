import * as assert from 'uvu/assert';
import { ServerClock } from '../../shared/nats/server-clock.ts';
import { suite } from '../harness/suite.ts';

const test = suite('the clock of the server');

const TWO_HOURS_MS = 7_200_000;

test('it is what the server said, and goes on from there, whatever this machine says', async () => {
  const startMs = Date.now();
  const clock = new ServerClock(async () => new Date(Date.now() + TWO_HOURS_MS).toISOString());
  assert.ok(clock.nowMs() < startMs + TWO_HOURS_MS / 2, 'until it was asked it is that of this machine');
  await clock.learn();
  const said = clock.nowMs();
  assert.ok(said >= startMs + TWO_HOURS_MS);
  assert.ok(Math.abs(clock.aheadMs + TWO_HOURS_MS) < TWO_HOURS_MS / 2, `${clock.aheadMs}`);
  assert.ok(clock.nowMs() >= said);
});

test('what the server stored was stored before now; what is older tells nothing', async () => {
  const clock = new ServerClock(async () => undefined);
  const startMs = clock.nowMs();
  clock.saw(startMs + TWO_HOURS_MS);
  const seen = clock.nowMs();
  assert.ok(seen >= startMs + TWO_HOURS_MS);
  clock.saw(startMs);
  assert.ok(clock.nowMs() >= seen);
});

test('a server whose clock was set back is followed', async () => {
  const clock = new ServerClock(async () => new Date(Date.now() - TWO_HOURS_MS).toISOString());
  await clock.learn();
  assert.ok(clock.aheadMs > TWO_HOURS_MS / 2);
});

test('an answer that took long does not set it: its instant lies somewhere between', async () => {
  let answer: (told: string) => void = () => undefined;
  const told = new Promise<string>((resolve) => {
    answer = resolve;
  });
  const clock = new ServerClock(() => told);
  const learning = clock.learn();
  const before = clock.nowMs();
  answer(new Date(before).toISOString());
  await learning;
  assert.ok(clock.nowMs() >= before);
});

test.run();
