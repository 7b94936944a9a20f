import * as assert from 'uvu/assert';
import { GRACE_MS, type Report } from '../../shared/runtime/contract.ts';
import { LABELS } from '../../shared/runtime/drivers/local/container-spec.ts';
import type { ContainerRow } from '../../shared/runtime/drivers/local/engine.ts';
import { FrameReader } from '../../shared/runtime/drivers/local/frames.ts';
import { type Ending, outcomeOf } from '../../shared/runtime/drivers/local/outcome.ts';
import { judge, type ReapRules } from '../../shared/runtime/drivers/local/reaper.ts';
import { LocalRunLog } from '../../shared/runtime/drivers/local/run-log.ts';
import { type Channel, KEPT_LOG_BYTES } from '../../shared/runtime/log-tail.ts';
import { suite } from '../harness/suite.ts';

const test = suite('runtime local, parts');

function frame(channel: Channel, text: string): Buffer {
  const body = Buffer.from(text);
  const header = Buffer.alloc(8);
  header[0] = channel === 'stdout' ? 1 : 2;
  header.writeUInt32BE(body.byteLength, 4);
  return Buffer.concat([header, body]);
}

test('frames are read wherever the stream is cut', () => {
  const stream = Buffer.concat([frame('stdout', 'one\n'), frame('stderr', ''), frame('stderr', 'zwei ü\n')]);
  for (let size = 1; size <= stream.byteLength; size++) {
    const said: Record<Channel, Buffer[]> = { stdout: [], stderr: [] };
    const reader = new FrameReader((channel, bytes) => said[channel].push(Buffer.from(bytes)));
    for (let at = 0; at < stream.byteLength; at += size) reader.push(stream.subarray(at, at + size));
    assert.equal([Buffer.concat(said.stdout), Buffer.concat(said.stderr)].map(String), ['one\n', 'zwei ü\n']);
  }
});

const RECEIVED = '{"isomorph":"boot.received","nonce":"n1","at_ms":1000}\n';
const ended = (nonce: string, code = 0): string =>
  `{"isomorph":"boot.ended","nonce":"${nonce}","exit_code":${code},"at_ms":1250}\n`;

function logOf(lines: readonly (readonly [Channel, string])[], nonce?: string) {
  const reports: Report[] = [];
  const log = new LocalRunLog((report) => reports.push(report), nonce);
  for (const [channel, text] of lines) log.push(channel, Buffer.from(text));
  return { log, reports, text: Buffer.from(log.bytes()).toString() };
}

test('a log is what the processor said, without what the boot module says of itself', () => {
  const { log, reports, text } = logOf([
    ['stdout', RECEIVED],
    ['stdout', '{"isomorph":"progress","frac'],
    ['stderr', 'a warning\n'],
    ['stdout', 'tion":0.5}\nno line feed'],
    ['stdout', ended('n1')],
    ['stderr', ended('n1')],
  ]);
  assert.is(text, 'a warning\n{"isomorph":"progress","fraction":0.5}\nno line feed');
  assert.equal(reports, [{ isomorph: 'progress', fraction: 0.5 }]);
  assert.equal(log.ended, { exitCode: 0, atMs: 1250 });
  assert.is(log.received?.at_ms, 1000);
});

test('only the boot module can say that a processor has ended', () => {
  for (const [lines, nonce] of [
    // The processor guesses, or repeats what it saw of another run.
    [
      [
        ['stdout', RECEIVED],
        ['stdout', ended('n2')],
        ['stderr', ended('n2')],
      ],
      undefined,
    ],
    // It claims to be the boot module, in a run whose nonce is known.
    [
      [
        ['stdout', RECEIVED],
        ['stdout', ended('n1')],
        ['stderr', ended('n1')],
      ],
      'n3',
    ],
    // There was no boot module at all.
    [
      [
        ['stdout', ended('n1')],
        ['stderr', ended('n1')],
      ],
      undefined,
    ],
  ] as [[Channel, string][], string | undefined][]) {
    assert.is(logOf(lines, nonce).log.ended, undefined);
  }
});

test('an engine may tell standard error before standard output', () => {
  const { log, text } = logOf([
    ['stderr', `a warning\n${ended('n1')}`],
    ['stdout', RECEIVED],
    ['stdout', `done\n${ended('n1')}`],
  ]);
  assert.is(text, 'a warning\ndone\n');
  assert.is(log.ended?.exitCode, 0);
  // Without a boot module it is what the processor said.
  assert.is(logOf([['stderr', ended('n1')]]).text, ended('n1'));
});

test('an end is known when both channels are complete', () => {
  assert.is(
    logOf([
      ['stdout', RECEIVED],
      ['stdout', ended('n1')],
    ]).log.ended,
    undefined,
  );
});

test('a report on standard error is log, and a report that is too long too', () => {
  const error = '{"isomorph":"error","code":"ERR_EXIT","message":"m"}\n';
  const long = `{"isomorph":"progress","message":"${'x'.repeat(20_000)}"}\n`;
  const { reports, log, text } = logOf([
    ['stderr', error],
    ['stdout', long],
  ]);
  assert.equal(reports, []);
  assert.is(log.error, undefined);
  assert.is(text, error + long);
});

test('of a long log the end is kept, lines without an end included', () => {
  const { log } = logOf([
    ['stdout', 'x'.repeat(100_000)],
    ['stderr', `${'y\n'.repeat(200_000)}`],
    ['stdout', 'the end'],
  ]);
  const bytes = Buffer.from(log.bytes());
  assert.is(bytes.byteLength, KEPT_LOG_BYTES);
  assert.ok(bytes.toString().endsWith('the end'));
});

const ending = (changes: Partial<Ending>, view: Partial<Ending['view']> = {}): Ending => ({
  view: { exitCode: 0, oomKilled: false, finishedMs: 1_000, error: '', ...view },
  stop: undefined,
  deadlineMs: 2_000,
  engineWasGone: false,
  toldExitCode: undefined,
  ...changes,
});

test('an outcome is told from what engines say, which is not always so', () => {
  const exited = (exitCode: number) => ({ kind: 'exited', exitCode });
  assert.equal(outcomeOf(ending({})), exited(0));
  assert.equal(outcomeOf(ending({}, { exitCode: 3 })), exited(3));
  // Only a child was killed, and the processor bore it.
  assert.equal(outcomeOf(ending({}, { oomKilled: true })), exited(0));
  assert.equal(outcomeOf(ending({}, { oomKilled: true, exitCode: 137 })), { kind: 'out_of_memory' });
  assert.equal(outcomeOf(ending({}, { exitCode: 139 })), { kind: 'signalled', signal: 'SIGSEGV' });
  assert.equal(outcomeOf(ending({}, { exitCode: 255 })), exited(255));
  assert.is(outcomeOf(ending({}, { exitCode: 127, error: 'no such file' })).kind, 'not_started');
  assert.equal(outcomeOf(ending({ stop: 'killed' }, { exitCode: 143 })), { kind: 'killed' });
  assert.equal(outcomeOf(ending({ stop: 'timed_out' })), { kind: 'timed_out' });
  // A kernel limit ended it, with no dispatcher there.
  assert.equal(outcomeOf(ending({}, { exitCode: 137, finishedMs: 2_000 })), { kind: 'timed_out' });
});

test('after an engine went away its word is not taken for what it did not see', () => {
  const gone = { engineWasGone: true };
  assert.is(outcomeOf(ending(gone, { exitCode: 255 })).kind, 'lost');
  assert.is(outcomeOf(ending(gone, { exitCode: 137 })).kind, 'lost');
  assert.equal(outcomeOf(ending(gone, { exitCode: 4 })), { kind: 'exited', exitCode: 4 });
  assert.equal(outcomeOf(ending({ ...gone, toldExitCode: 5 }, { exitCode: 255 })), { kind: 'exited', exitCode: 5 });
  // On another dispatcher's watch.
  assert.equal(outcomeOf(ending({ toldExitCode: 0 }, { exitCode: 255 })), { kind: 'exited', exitCode: 0 });
});

const RULES: ReapRules = { startGraceMs: 100, overdueMs: 1_000, keptEndedMs: 10_000, parkedMaxAgeMs: 5_000 };

function verdict(changes: Partial<ContainerRow>, nowMs: number, names: readonly string[] = []): string {
  const labels = { [LABELS.role]: 'processor', [LABELS.deadline]: new Date(50_000).toISOString() };
  const row = { id: 'c1', name: 'iso-p.s.1-i', state: 'running', createdMs: 0, labels, ...changes };
  return judge(row, RULES, { nowMs, names: new Set(names), isOwnParked: (id) => id === 'mine' });
}

test('whatever a killed dispatcher left has a time after which it goes', () => {
  const overdue = 50_000 + GRACE_MS;
  assert.is(verdict({}, overdue + 1_000), 'keep');
  assert.is(verdict({}, overdue + 1_001), 'time_out');
  assert.is(verdict({ state: 'exited' }, overdue + 10_000), 'keep');
  assert.is(verdict({ state: 'exited' }, overdue + 10_001), 'remove');
  assert.is(verdict({ state: 'created' }, 199), 'keep');
  assert.is(verdict({ state: 'created' }, 200), 'remove');
  // It was parked before it was assigned: the latest deadline that it can have.
  const parked = { labels: { [LABELS.role]: 'parked', [LABELS.timeout]: '10' } };
  assert.is(verdict(parked, 15_000 + GRACE_MS + 1_000), 'keep');
  assert.is(verdict(parked, 15_000 + GRACE_MS + 1_001), 'time_out');
});

test('a parked container goes with its owner, a relay with its processor', () => {
  const parked = { name: 'iso-parked-0-i', labels: { [LABELS.role]: 'parked' } };
  assert.is(verdict(parked, 1_000), 'keep');
  assert.is(verdict(parked, 10_001), 'remove');
  assert.is(verdict({ ...parked, state: 'exited' }, 1), 'remove');
  assert.is(verdict({ ...parked, state: 'created' }, 99), 'keep');
  assert.is(verdict({ ...parked, id: 'mine', state: 'exited' }, 20_000), 'keep');
  const relay = { name: 'iso-p.s.1-i.relay', labels: { [LABELS.role]: 'relay' } };
  assert.is(verdict(relay, 99), 'keep');
  assert.is(verdict(relay, 100, ['iso-p.s.1-i']), 'keep');
  assert.is(verdict(relay, 100), 'remove');
});

test.run();
