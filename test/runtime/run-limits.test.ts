import * as assert from 'uvu/assert';
import type { LimitNotice } from '../../shared/async/limit-notice.ts';
import { LogPace, ReportReader } from '../../shared/runtime/run-limits.ts';
import { suite } from '../harness/suite.ts';

const test = suite('reports of a run');

const PROGRESS = '{"isomorph":"progress","fraction":0.5}';

function limited() {
  const notices: LimitNotice[] = [];
  const limits = { reportsPerS: 2, logBytesPerS: 1_000, tell: (notice: LimitNotice) => void notices.push(notice) };
  return { notices, limits };
}

test('of a flood of progress a little is heard, and the last error always', () => {
  const { limits, notices } = limited();
  const reader = new ReportReader('p.s.1', limits);
  const heard = Array.from({ length: 10_000 }, () => reader.read(PROGRESS)).filter((one) => one !== undefined);
  assert.ok(heard.length >= 10 && heard.length < 1_000, `${heard.length} were heard`);
  assert.equal(notices[0], { limit: 'reports_per_s', of: 'p.s.1', used: 2, most: 2 });
  for (const message of ['first', 'last']) {
    reader.read(`{"isomorph" : "error", "code": "ERR_EXIT", "message": "${message}"}`);
  }
  assert.is(reader.error?.message, 'last');
});

test('a run that says little is heard whole', () => {
  const reader = new ReportReader('p.s.1', limited().limits);
  for (let index = 0; index < 10; index++) assert.is(reader.read(PROGRESS)?.isomorph, 'progress');
  reader.read('{"isomorph":"error","code":"ERR_EXIT","message":"m"}');
  assert.is(reader.error?.message, 'm');
});

test('a log that is written faster than it may be is read later, and told', () => {
  const { limits, notices } = limited();
  const pace = new LogPace('p.s.1', limits);
  assert.is(pace.read(5_000), 0);
  const waitMs = pace.read(2_000);
  assert.ok(waitMs > 0 && waitMs <= 2_000, `${waitMs} ms`);
  assert.is(notices[0]?.limit, 'log_bytes_per_s');
});

test('a run that comes near its rates is told of once', () => {
  const { limits, notices } = limited();
  const pace = new LogPace('p.s.1', limits);
  for (let bytes = 0; bytes < 4_900; bytes += 100) assert.is(pace.read(100), 0);
  const [near, ...others] = notices;
  assert.equal([near?.limit, near?.of, near?.most, others], ['log_bytes_per_s', 'p.s.1', 1_000, []]);
  assert.ok((near?.used ?? 0) >= 800 && (near?.used ?? 0) < 1_000);
});

test.run();
