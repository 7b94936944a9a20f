import * as assert from 'uvu/assert';
import { errorDocument, errorLines } from '../../cli/render/error.ts';
import { fsckLines } from '../../cli/render/fsck.ts';
import { liveLines, progressed, type RunningSteps, runningAfter } from '../../cli/render/live.ts';
import { planLines, receiptLines } from '../../cli/render/plan.ts';
import { table } from '../../cli/render/table.ts';
import { bytes, duration, fit, money, plain, wrap } from '../../cli/render/text.ts';
import { theme } from '../../cli/render/theme.ts';
import { rawLine, timelineLines } from '../../cli/render/timeline.ts';
import { fold } from '../../shared/ledger/evolve.ts';
import { knownReading } from '../../shared/ledger/reading.ts';
import { rowsOf } from '../../shared/projection/rows.ts';
import { suite } from '../harness/suite.ts';
import { commitsOf, START_MS, sealAll } from './chain-fixture.ts';

const test = suite('cli rendering');

const PLAIN = theme(false, 100);
const OPTIONS = { theme: PLAIN, startMs: START_MS, stepWidth: 8 };

test('a plan reads as a timeline', () => {
  const lines = sealAll('p', commitsOf('p')).flatMap((events) => timelineLines(events, OPTIONS));
  assert.equal(lines, [
    '   0.00 s  · plan      submitted: 2.2 kB, blake3:111111111111…',
    '   0.00 s  ✓ plan      admitted: 1 step, policy default, budget $0.05',
    '   0.03 s  ▸ flaky     started',
    '   0.25 s  ✗ flaky     attempt 1 failed: ERR_EXIT fails on purpose',
    '                       log: first line',
    '                       log: second line',
    '   0.27 s  ↻ flaky     is tried again in 190 ms: attempt 2',
    '   0.48 s  ▸ flaky     started, attempt 2',
    '   0.90 s  ✓ flaky     succeeded in 378 ms: note.json (107 B)',
    '   1.84 s  ✓ check     2 predicates hold',
    '   1.84 s  ✓ plan      succeeded after 1.8 s, $0.000024 spent',
  ]);
});

test('a rejected plan names each fault with its place, inside 100 columns', () => {
  const [first] = commitsOf('p');
  const [submitted] = first?.drafts ?? [];
  assert.ok(submitted !== undefined);
  const faults = [
    {
      code: 'ERR_POLICY',
      message: 'policy default forbids this',
      pointer: '/steps/1/write_prefix',
      expected: 'x '.repeat(60),
    },
  ];
  const drafts = [submitted, { kind: 'plan.rejected', data: { faults, fault_count: 3 } } as const];
  const [events = []] = sealAll('p', [{ by: 'admission', atMs: 0, drafts }]);
  const lines = timelineLines(events, OPTIONS);
  assert.is(lines[1], '   0.00 s  ✗ plan      rejected for 3 faults');
  assert.is(lines[2], '                       ERR_POLICY policy default forbids this');
  assert.match(lines[3] ?? '', /^ +at \/steps\/1\/write_prefix, expected x/);
  assert.is(lines.at(-1), '                       and 2 more');
  assert.ok(lines.every((line) => line.length <= 100));
});

test('every event has a line for an auditor', () => {
  const events = sealAll('p', commitsOf('p')).flat();
  const lines = events.map((event) => rawLine(event, OPTIONS));
  assert.is(lines.length, events.length);
  assert.is(lines[2], '   0.01 s      3  budget.reserved        p.flaky.1');
});

test('a plan is shown with its steps, failed attempts, outputs, predicates and receipts', () => {
  const state = fold('p', sealAll('p', commitsOf('p')).flat());
  const view = {
    rows: rowsOf(knownReading(state), undefined),
    predicates: state.predicates,
    events: 20,
    verified: true,
  };
  const lines = planLines(view, PLAIN);
  assert.equal(lines.slice(0, 9), [
    'p  succeeded',
    '  time    submitted 2026-11-22 08:00:00 UTC, took 1.8 s',
    '  policy  default',
    '  budget  $0.000024 of $0.05 spent',
    '  ledger  20 events, chain verified',
    `  head    ${state.head.hash}`,
    '',
    'Steps',
    '  step   status     attempts    time       cost  processor',
  ]);
  assert.is(lines[9], '  flaky  succeeded         2  578 ms  $0.000024  demo/flaky@1');
  assert.ok(lines.includes('  p.flaky.1: ERR_EXIT fails on purpose'));
  assert.ok(lines.includes('  ✓ artifact.exists@1  /predicates/0  x'));
  assert.ok(lines.includes('  p.flaky.2  blake3:666666666666…  blake3:eeeeeeeeeeee…'));
});

test('receipts of a plan with a usual name fit into 80 columns', () => {
  const planId = 'penguins-mws039gk';
  const receipt = {
    ...{ plan_id: planId, execution_id: `${planId}.profile.1`, step_id: 'profile' },
    ...{ path: `/artifacts/executions/${planId}/${planId}.profile.1/determinism.json` },
    ...{ cid: `blake3:${'6'.repeat(64)}`, memo_key: `blake3:${'e'.repeat(64)}` },
  };
  const lines = receiptLines([receipt], theme(false, 80));
  assert.equal(
    lines.filter((line) => line.length > 80),
    [],
  );
});

test('running steps stand at the foot with the time and progress they report', () => {
  const events = sealAll('p', commitsOf('p')).flat();
  const started = events.find((event) => event.kind === 'execution.started');
  assert.ok(started !== undefined);
  let running: RunningSteps = runningAfter(new Map(), started, START_MS);
  running = progressed(running, { step_id: 'flaky', fraction: 0.5, message: 'half\u001b[2J way' });
  const foot = { nowMs: START_MS + 1500, frame: 0, stepWidth: 8, theme: PLAIN };
  assert.equal(liveLines(running, foot), ['    1.5 s  ⠋ flaky     ━━━━━━──────  half way']);
  const ended = events.find((event) => event.kind === 'execution.failed');
  assert.ok(ended !== undefined);
  assert.equal(liveLines(runningAfter(running, ended, START_MS), foot), []);
  assert.is(progressed(new Map(), { step_id: 'late' }).size, 0);
});

test('an error says what, where, what was expected and what to do', () => {
  const fault = { code: 'ERR_PLAN_ID', message: 'it is missing', pointer: '/plan_id', expected: 'a name' };
  assert.equal(errorLines(fault, PLAIN), [
    'error ERR_PLAN_ID: it is missing',
    '  at /plan_id',
    '  expected a name',
    '  help: Use [a-z0-9][a-z0-9_-]{0,62}.',
  ]);
  assert.equal(errorLines({ code: 'ERR_EXIT', message: 'a\nb', pointer: '' }, PLAIN), [
    'error ERR_EXIT: a',
    '  b',
    '  help: Read the tail of its log.',
  ]);
  assert.equal(errorDocument(fault), {
    error: { ...fault, help: 'Use [a-z0-9][a-z0-9_-]{0,62}.', retryable: false },
  });
});

test('money, sizes and times read as people write them', () => {
  assert.equal([0, 1, 197, 50_000, 1_000_000, 12_345_678].map(money), [
    '$0.00',
    '$0.000001',
    '$0.000197',
    '$0.05',
    '$1.00',
    '$12.345678',
  ]);
  assert.equal([0, 999, 1000, 13_523, 999_949, 999_950, 5e12].map(bytes), [
    '0 B',
    '999 B',
    '1.0 kB',
    '13.5 kB',
    '999.9 kB',
    '1.0 MB',
    '5.0 TB',
  ]);
  assert.equal([0, 999, 1000, 59_949, 59_950, 75_000, 3_600_000, 90_000_000].map(duration), [
    '0 ms',
    '999 ms',
    '1.0 s',
    '59.9 s',
    '1 min',
    '1 min 15 s',
    '1 h 0 min',
    '1 d 1 h',
  ]);
});

test('text of strangers cannot move the cursor, hide or turn around', () => {
  assert.is(plain('a\u001b[2Jb\u202ec\u200b\n d\r'), 'ab c d');
  assert.is(plain('a \u001b]8;;http://x\u0007link\u001b]8;;\u001b\\ \u009b31mred'), 'a link red');
  assert.is(fit('abcdef', 4), 'abc…');
  assert.is(fit('abcd', 4), 'abcd');
  assert.equal(wrap('one two three', 7), ['one two', 'three']);
});

test('fsck says what was compared, and of each finding where, what was expected and what is there', () => {
  const row = { table: 'budgets', key: { plan_id: 'p' }, column: 'spent_usd_micro' };
  const report = {
    ok: false,
    findings: [
      {
        where: 'postgres',
        place: 'budgets (plan_id p).spent_usd_micro',
        planId: 'p',
        seq: undefined,
        code: 'ERR_CHAIN_BROKEN',
        message: 'the row was altered',
        expected: '189',
        found: '1',
        row,
      },
    ],
    findings_omitted: 2,
    ledger: { messages: 9, events: 18, plans: [] },
    postgres: { position: 8, lag: 1, rows: 30 },
    artifacts: { checked: 1, hash: 'none' },
  } as const;
  assert.equal(fsckLines(report, PLAIN), [
    '✓ ledger     18 events of 0 plans',
    '✗ postgres   30 rows; 1 commit not projected yet',
    '✓ artifacts  1 artifact, as the store recorded them',
    '',
    '3 findings',
    '  ✗ postgres: budgets (plan_id p).spent_usd_micro',
    '    ERR_CHAIN_BROKEN the row was altered',
    '    expected 189',
    '    found    1',
    '  and 2 more',
  ]);
  const unprojected = fsckLines({ ...report, findings: [], findings_omitted: 0, postgres: undefined }, PLAIN);
  assert.is(unprojected[1], '! postgres   not compared: no projection was found');
});

test('columns of a table are aligned, and colours do not count as width', () => {
  const lines = table(
    [{ title: 'name' }, { title: 'n', align: 'right' }, { title: 'end' }],
    [
      [{ text: 'a', paint: (text) => `\u001b[1m${text}\u001b[22m` }, '1', 'x'],
      ['longer', '200', 'y'],
    ],
    PLAIN,
  );
  assert.equal(lines, ['  name      n  end', '  \u001b[1ma     \u001b[22m    1  x', '  longer  200  y']);
});

test.run();
