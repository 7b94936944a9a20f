import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { actualFor, reserveFor } from '../../shared/plan/budget.ts';
import { suite } from '../harness/suite.ts';
import { processor } from './admitted-plan.ts';

const test = suite('budget arithmetic');

const costs = fc.record({
  usd_micro_fixed: fc.nat({ max: 10_000_000 }),
  usd_micro_per_s: fc.nat({ max: 1_000_000 }),
  timeout_s: fc.integer({ min: 1, max: 86_400 }),
});

const of = ({ usd_micro_fixed, usd_micro_per_s, timeout_s }: Record<string, number>) =>
  processor({
    cost: { usd_micro_fixed: usd_micro_fixed ?? 0, usd_micro_per_s: usd_micro_per_s ?? 0 },
    runtime: { ...processor().runtime, timeout_s: timeout_s ?? 1 },
  });

test('an execution never costs more than was reserved for it, nor less than the fixed part', () => {
  fc.assert(
    fc.property(costs, fc.double({ min: 0, max: 1e9, noNaN: true }), (cost, durationMs) => {
      const actual = actualFor(of(cost), durationMs);
      assert.ok(Number.isSafeInteger(actual));
      assert.ok(actual <= reserveFor(of(cost)) && actual >= cost.usd_micro_fixed, `${actual}`);
    }),
  );
});

test('a longer execution never costs less', () => {
  fc.assert(
    fc.property(costs, fc.nat({ max: 1e8 }), fc.nat({ max: 1e8 }), (cost, one, other) => {
      const [short, long] = [Math.min(one, other), Math.max(one, other)];
      assert.ok(actualFor(of(cost), short) <= actualFor(of(cost), long));
    }),
  );
});

test('what is used is rounded up, exactly', () => {
  fc.assert(
    fc.property(costs, fc.nat({ max: 86_400_000 }), (cost, durationMs) => {
      const [fixed, perS, ms] = [cost.usd_micro_fixed, cost.usd_micro_per_s, durationMs].map(BigInt) as [
        bigint,
        bigint,
        bigint,
      ];
      const exact = Number(fixed + (perS * ms + 999n) / 1000n);
      assert.is(actualFor(of(cost), durationMs), Math.min(exact, reserveFor(of(cost))));
    }),
  );
});

test('examples a person can check', () => {
  const cheap = of({ usd_micro_fixed: 100, usd_micro_per_s: 10, timeout_s: 30 });
  assert.is(reserveFor(cheap), 400);
  const actual: [number, number][] = [
    [0, 100],
    [1, 101],
    [100, 101],
    [101, 102],
    [300, 103],
    [30_000, 400],
    [31_000, 400],
    [-5, 100],
  ];
  for (const [durationMs, usdMicro] of actual) assert.is(actualFor(cheap, durationMs), usdMicro, `${durationMs} ms`);
});

test('what nobody knows the duration of costs all that was reserved', () => {
  const cheap = of({ usd_micro_fixed: 100, usd_micro_per_s: 10, timeout_s: 30 });
  assert.is(actualFor(cheap, null), 400);
  assert.is(actualFor(processor({ read_only: true }), null), 0);
});

test('a read-only processor reserves and costs nothing', () => {
  const reader = processor({ read_only: true });
  assert.equal([reserveFor(reader), actualFor(reader, 5_000)], [0, 0]);
});

test.run();
