import * as assert from 'uvu/assert';
import { suite } from './suite.ts';
import { readSummary } from './summary.ts';

const test = suite('test summary');

const uvu = (total: number, passed: number, skipped = 0): string =>
  `  Total:     ${total}\n  Passed:    ${passed}\n  Skipped:   ${skipped}\n  Duration:  1.00ms\n`;

test('counts what passed and failed', () => {
  assert.equal(readSummary(uvu(5, 3, 1), 1), { passed: 3, failed: 2, skipped: 1, reason: 'exit code 1' });
  assert.equal(readSummary(uvu(5, 5), 0), { passed: 5, failed: 0, skipped: 0, reason: undefined });
});

test('a suite that ran no test has failed', () => {
  assert.is(readSummary(uvu(0, 0), 0).failed, 1);
  assert.is(readSummary('', 0).failed, 1);
});

test('a suite that says why it is skipped has not', () => {
  const summary = readSummary('SKIPPED SUITE redis kv: no redis-server\n', 0);
  assert.equal(summary, { passed: 0, failed: 0, skipped: 1, reason: 'no redis-server' });
});

test('a suite that was killed has failed even when its tests had passed', () => {
  assert.is(readSummary(uvu(2, 2), null).failed, 1);
});

test.run();
