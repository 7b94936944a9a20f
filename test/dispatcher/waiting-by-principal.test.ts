import * as assert from 'uvu/assert';
import { MOST_OF_PRINCIPAL, WaitingByPrincipal } from '../../services/dispatcher/waiting-by-principal.ts';
import { suite } from '../harness/suite.ts';

const test = suite('what waits of a principal');

/** With a clock that is set by hand. */
function waitingAt(): { readonly waiting: WaitingByPrincipal; passMs(ms: number): void } {
  let nowMs = 0;
  return {
    waiting: new WaitingByPrincipal(() => nowMs),
    passMs: (ms) => {
      nowMs += ms;
    },
  };
}

const MANY = new Map([['mock', 100]]);

/** How many more of somebody may wait. */
function places(waiting: WaitingByPrincipal, principal: string, adapter = 'mock'): number | undefined {
  const taken = waiting.take(principal, new Map([[adapter, 100]]));
  waiting.giveBack(principal, taken);
  return taken.get(adapter);
}

function fill(waiting: WaitingByPrincipal, principal: string): void {
  for (let n = 0; n < MOST_OF_PRINCIPAL; n++) waiting.scheduled(principal, 'mock', `plan-${n}`, `plan-${n}.a.1`);
}

test('so much of a principal waits for the slots of a runtime, and that takes no place of others', () => {
  const { waiting } = waitingAt();
  fill(waiting, 'alice');
  assert.equal(
    [places(waiting, 'alice'), places(waiting, 'bob'), places(waiting, 'alice', 'local')],
    [0, MOST_OF_PRINCIPAL, MOST_OF_PRINCIPAL],
  );
  waiting.left('plan-3.a.1');
  waiting.left('plan-3.a.1');
  waiting.left('nobody.a.1');
  assert.equal([places(waiting, 'alice'), waiting.has('plan-3'), waiting.has('plan-4')], [1, false, true]);
});

test('what is about to be scheduled has its places, and two who decide at once do not both have them', () => {
  const { waiting } = waitingAt();
  const first = waiting.take('alice', new Map([['mock', 6]]));
  const second = waiting.take('alice', MANY);
  assert.equal([first.get('mock'), second.get('mock')], [6, MOST_OF_PRINCIPAL - 6]);
  waiting.giveBack('alice', first);
  assert.is(places(waiting, 'alice'), 6);
});

test('those who wait for a place are told in the order in which they asked, as many as there are places', async () => {
  const { waiting } = waitingAt();
  fill(waiting, 'alice');
  const told: string[] = [];
  const ask = (name: string) => waiting.freed('alice', 'mock', 60_000).then((isFree) => isFree && told.push(name));
  const asked = [ask('first'), ask('second'), ask('third')];
  waiting.left('plan-0.a.1');
  waiting.left('plan-1.a.1');
  await Promise.all(asked.slice(0, 2));
  assert.equal(told, ['first', 'second']);
  waiting.left('plan-2.a.1');
  await asked[2];
  assert.is(await waiting.freed('alice', 'mock', 60_000), true, 'there is a place already');
});

test('who finds no place in the time is told so, and takes no turn of others', async () => {
  const { waiting } = waitingAt();
  fill(waiting, 'alice');
  assert.is(await waiting.freed('alice', 'mock', 1), false);
  const next = waiting.freed('alice', 'mock', 60_000);
  waiting.left('plan-0.a.1');
  assert.is(await next, true);
});

test('what nothing was heard of for long holds nobody up', () => {
  const { waiting, passMs } = waitingAt();
  fill(waiting, 'alice');
  passMs(29_000);
  assert.is(places(waiting, 'alice'), 0);
  passMs(2_000);
  assert.is(places(waiting, 'alice'), MOST_OF_PRINCIPAL);
});

test.run();
