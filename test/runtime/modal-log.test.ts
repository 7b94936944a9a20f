import * as assert from 'uvu/assert';
import type { Report } from '../../shared/runtime/contract.ts';
import { SandboxLog } from '../../shared/runtime/drivers/modal/log.ts';
import { KEPT_LOG_BYTES } from '../../shared/runtime/log-tail.ts';
import { suite } from '../harness/suite.ts';

const test = suite('modal log');

const REPORT = '{"isomorph":"progress","fraction":0.5}';
const textOf = (log: SandboxLog): string => Buffer.from(log.bytes()).toString('utf8');

test('lines of both channels stay whole, however they come', () => {
  const log = new SandboxLog();
  log.push('stdout', 'one ');
  log.push('stderr', 'a warning\n');
  log.push('stdout', 'line\nand the re');
  log.push('stdout', 'st');
  assert.is(textOf(log), 'a warning\none line\nand the rest');
});

test('a report is one on standard output alone, also when it comes in pieces', () => {
  const reports: Report[] = [];
  const log = new SandboxLog((report) => reports.push(report));
  log.push('stderr', `${REPORT}\n`);
  assert.equal(reports, []);
  log.push('stdout', REPORT.slice(0, 9));
  log.push('stdout', `${REPORT.slice(9)}\n`);
  assert.equal(reports, [{ isomorph: 'progress', fraction: 0.5 }]);
});

test('the last error is kept when its line is long gone', () => {
  const log = new SandboxLog();
  log.push('stdout', '{"isomorph":"error","code":"ERR_EXIT","message":"why"}\n');
  for (let count = 0; count < 40; count++) log.push('stdout', `${'x'.repeat(10_000)}\n`);
  assert.is(log.error?.message, 'why');
  assert.not.match(textOf(log), 'why');
});

test('the end is kept, in bytes, and of a line without an end too', () => {
  const log = new SandboxLog();
  for (let count = 0; count < 100; count++) log.push('stdout', 'ü'.repeat(10_000));
  log.push('stdout', 'the end');
  assert.is(log.bytes().byteLength, KEPT_LOG_BYTES);
  assert.ok(textOf(log).endsWith('üthe end'));
});

test.run();
