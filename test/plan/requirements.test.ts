import * as assert from 'uvu/assert';
import { unmet } from '../../shared/plan/requirements.ts';
import { suite } from '../harness/suite.ts';

const test = suite('requirements of a step');

const OFFERED = { ttl: 's', maxValueBytes: 100, durable: true, exactStats: false, dedupeSurvivesRestart: true };

test('what is offered is enough: the finest unit, the least number, the very word', () => {
  const met: readonly Record<string, unknown>[] = [
    {},
    { ttl: 's' },
    { max_value_bytes: 99 },
    { max_value_bytes: 100 },
    { durable: true, dedupe_survives_restart: true },
  ];
  for (const wanted of met) assert.equal(unmet(wanted, OFFERED), [], JSON.stringify(wanted));
});

test('what is not is told as the plan has it, beside what is offered', () => {
  const cases: readonly [Record<string, unknown>, string, unknown][] = [
    [{ ttl: 'ms' }, 'ttl', 's'],
    [{ max_value_bytes: 101 }, 'max_value_bytes', 100],
    [{ exact_stats: true }, 'exact_stats', false],
    // A capability that a backend does not name is one that it lacks, whatever form it would have.
    [{ max_delay_s: 1 }, 'max_delay_s', undefined],
    [{ ordering: 'approximate' }, 'ordering', undefined],
  ];
  for (const [wanted, name, offered] of cases) {
    assert.equal(unmet(wanted, OFFERED), [{ name, wanted: wanted[name], offered }]);
  }
  assert.equal(
    unmet({ ttl: 'ms', durable: true, exact_stats: true }, OFFERED).map(({ name }) => name),
    ['ttl', 'exact_stats'],
  );
});

test('units of a time to live, from none to the finest', () => {
  for (const [offered, units] of [
    ['none', []],
    ['s', ['s']],
    ['ms', ['s', 'ms']],
  ] as const) {
    const met = ['s', 'ms'].filter((ttl) => unmet({ ttl }, { ttl: offered }).length === 0);
    assert.equal(met, units, offered);
  }
});

test('a number is met by no text, and a name that every object has is no capability', () => {
  assert.is(unmet({ max_value_bytes: 1 }, { maxValueBytes: '100' }).length, 1);
  assert.equal(unmet({ constructor: true }, {}), [{ name: 'constructor', wanted: true, offered: undefined }]);
});

test.run();
