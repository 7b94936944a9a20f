import { readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { cidOf } from '../../shared/hash/cid.ts';
import type { Draft } from '../../shared/ledger/events.ts';
import { type Told, Verifier } from '../../shared/ledger/verify.ts';
import { parseAdmitted } from '../../shared/plan/admitted-form.ts';
import { AUDIT, audit } from '../../shared/plan/audit.ts';
import { suite } from '../harness/suite.ts';
import type { Deed } from '../ledger/histories.ts';
import {
  admitted,
  cancelRequested,
  checked,
  ENVIRONMENT,
  failed,
  lost,
  settled,
  settledExecution,
  succeeded,
  written,
} from '../ledger/plan-history.ts';
import {
  ADMISSION,
  BUDGET,
  by,
  DONE,
  doneAttempt,
  ENDED,
  FAILED,
  failedAttempt,
  foundIn,
  ID,
  other,
  PLAN,
  RESERVE,
  SCHEDULE,
  SCHEDULED,
  STARTED,
  schedule,
  scheduleOf,
  startOf,
  writtenBy,
} from './audited-history.ts';

const test = suite('a history against its admitted plan');

/** What version 1 of the first two events did not tell. */
const UNTOLD: ReadonlySet<string> = new Set(['principal', 'command_seq', 'predicates', 'timeout_s']);

const inVersion1 = (deeds: readonly Deed[]): Deed[] =>
  deeds.map(({ by: writer, draft }, index) => {
    if (index > 1) return { by: writer, draft };
    const data = Object.fromEntries(Object.entries(draft.data).filter(([field]) => !UNTOLD.has(field)));
    return { by: writer, draft: { kind: draft.kind, data } as Draft, v: 1 };
  });

const lostAttempt = (attempt: number): Deed[] => [
  ...by('dispatcher', ...scheduleOf('fetch', attempt), lost(`plan.fetch.${attempt}`, 0)),
  ...by('settler', ...settledExecution('plan', `plan.fetch.${attempt}`, 400, 0)),
];

/** Given a history, when a deed follows that the chain lets pass, then it is found with its place and what was expected. */
type Broken = readonly [given: readonly Deed[], when: readonly Deed[], found: RegExp, expected: RegExp];

const BROKEN: Readonly<Record<string, readonly Broken[]>> = {
  admittedAsTold: [
    [
      ADMISSION.slice(0, 1),
      by('admission', admitted('plan', 9_999, { steps: 2 })),
      /budget_limit_usd_micro is 9999/,
      /^10000$/,
    ],
    [ADMISSION.slice(0, 1), by('admission', admitted('plan', 10_000)), /the number of steps is 3/, /^2$/],
    [
      ADMISSION.slice(0, 1),
      by('admission', admitted('plan', 10_000, { steps: 2, predicates: 1 })),
      /predicates is 1/,
      /^2$/,
    ],
    [
      ADMISSION.slice(0, 1),
      by('admission', admitted('plan', 10_000, { steps: 2, policy: 'other' })),
      /policy is other/,
      /^default$/,
    ],
  ],
  endAsReached: [
    [ADMISSION, by('settler', settled('failed', 0)), /steps of it can go on/, /nothing can start any more/],
    [[...ADMISSION, ...failedAttempt(1)], by('settler', settled('failed', 110)), /can go on/, /nothing can start/],
    [[...ADMISSION, ...doneAttempt('fetch', 1)], by('settler', settled('failed', 110)), /can go on/, /nothing can/],
    [
      [...ADMISSION, ...by('admission', cancelRequested('client'))],
      by('settler', settled('failed', 0)),
      /status is failed/,
      /^cancelled$/,
    ],
    // Of later versions the chain alone tells.
    [inVersion1(DONE), by('settler', settled('failed', 110)), /0 predicates were checked/, /2 before the end/],
    [
      inVersion1([...DONE, ...by('settler', checked(0, true), checked(1, true))]),
      by('settler', settled('failed', 110)),
      /status is failed/,
      /^succeeded$/,
    ],
  ],
  reserveOfEntry: [[ADMISSION, by('dispatcher', other(RESERVE, { usd_micro: 399 })), /usd_micro is 399/, /^400$/]],
  costOfEntry: [[FAILED, by('settler', other(BUDGET, { actual_usd_micro: 109 })), /actual_usd_micro is 109/, /^110$/]],
  stepOfPlan: [
    [
      ADMISSION,
      by('dispatcher', other(SCHEDULE, { step_id: 'more', execution_id: 'plan.more.1' })),
      /no step more/,
      /2 steps/,
    ],
    [
      ADMISSION,
      by('dispatcher', RESERVE, other(SCHEDULE, { processor: 'test/else@1' })),
      /processor is test\/else@1/,
      /probe@1/,
    ],
    [ADMISSION, by('dispatcher', RESERVE, other(SCHEDULE, { adapter: 'modal' })), /adapter is modal/, /^mock$/],
  ],
  needsDone: [
    [ADMISSION, schedule('draw'), /draw is scheduled before fetch succeeded/, /success of fetch/],
    [STARTED, schedule('draw'), /draw is scheduled before fetch succeeded/, /success of fetch/],
  ],
  withinRetries: [
    [
      [...ADMISSION, ...failedAttempt(1), ...failedAttempt(2)],
      by('dispatcher', ...scheduleOf('fetch', 3)),
      /fetch has failed for good/,
      /nothing/,
    ],
    [
      [...ADMISSION, ...Array.from({ length: 10 }, (_, before) => lostAttempt(before + 1)).flat()],
      by('dispatcher', ...scheduleOf('fetch', 11)),
      /fetch has failed for good/,
      /nothing/,
    ],
    [FAILED, schedule('draw'), /fetch has failed for good/, /nothing/],
  ],
  reservedFirst: [[ADMISSION, by('dispatcher', SCHEDULE), /the reserve is 0/, /^400$/]],
  inputsOfStep: [
    [SCHEDULED, by('dispatcher', other(startOf(ID), { inputs: {} })), /the inputs is /, /^table$/],
    [
      SCHEDULED,
      by('dispatcher', other(startOf(ID), { inputs: { table: { path: '/artifacts/inputs/x', cid: cidOf('x') } } })),
      /input table is \/artifacts\/inputs\/x/,
      /^\/artifacts\/inputs\/table\.csv$/,
    ],
    [SCHEDULED, by('dispatcher', other(startOf(ID), { params_cid: cidOf('{}') })), /params_cid is/, /^blake3:/],
  ],
  ranWhereAdmitted: [
    [
      STARTED,
      by('dispatcher', failed(ID, 1, { environment: { ...ENVIRONMENT, adapter: 'local' } })),
      /adapter is local/,
      /^mock$/,
    ],
    [
      [...STARTED, ...by('dispatcher', writtenBy('fetch', 1))],
      by('dispatcher', other(succeeded(ID, 1), { environment: { ...ENVIRONMENT, adapter: 'local' } })),
      /adapter is local/,
      /^mock$/,
    ],
  ],
  outputsWritten: [
    [
      STARTED,
      by('dispatcher', succeeded(ID, 1)),
      /an output is missing/,
      /^\/artifacts\/outputs\/plan\/fetch\/out\.json$/,
    ],
  ],
  ownPath: [
    [
      STARTED,
      by('dispatcher', written('plan', 'draw', 'out.json', ID)),
      /is not of step fetch/,
      /outputs\/plan\/fetch\//,
    ],
    [STARTED, by('dispatcher', written('plan', 'fetch', 'undeclared.json', ID)), /is not of step fetch/, /out\.json/],
  ],
  predicateOfPlan: [
    [DONE, by('settler', checked(1, true)), /artifact\.exists@1 at \/predicates\/1/, /at \/predicates\/0$/],
    [DONE, by('settler', other(checked(0, true), { predicate: 'x@1' })), /x@1 at/, /^artifact\.exists@1/],
  ],
};

for (const [name, cases] of Object.entries(BROKEN)) {
  for (const [index, [given, when, found, expected]] of cases.entries()) {
    test(`${name}, ${index + 1}: the chain lets it pass, the admitted plan does not`, () => {
      assert.equal(foundIn(given), { chain: [], document: [] }, 'what is given is as admitted');
      const { chain, document } = foundIn([...given, ...when]);
      assert.equal(chain, []);
      assert.is(document.length, 1, JSON.stringify(document));
      const seq = given.length + when.length;
      const [finding] = document;
      assert.equal(
        [finding?.place, finding?.planId, finding?.seq, finding?.code],
        [`line ${seq}`, 'plan', seq, 'ERR_COMMIT_INVALID'],
      );
      assert.match(finding?.message ?? '', found);
      assert.match(finding?.expected ?? '', expected);
    });
  }
}

test('every rule that needs the admitted plan is broken here', () => {
  const names = Object.values(AUDIT).flatMap((rules) => rules.map(({ name }) => name));
  assert.equal([...new Set(names)].sort(), Object.keys(BROKEN).sort());
});

test('a history as it was admitted has no finding, whichever way it ends', () => {
  assert.equal(foundIn(ENDED), { chain: [], document: [] });
  const failedForGood = [
    ...ADMISSION,
    ...failedAttempt(1),
    ...failedAttempt(2),
    ...by('settler', settled('failed', 220)),
  ];
  assert.equal(foundIn(failedForGood), { chain: [], document: [] });
  const cancelled = [
    ...ADMISSION,
    ...by('admission', cancelRequested('client')),
    ...by('settler', settled('cancelled', 0)),
  ];
  assert.equal(foundIn(cancelled), { chain: [], document: [] });
});

test('an execution that is lost and one that fails are counted apart', () => {
  const history = [...ADMISSION, ...lostAttempt(1), ...failedAttempt(2), ...lostAttempt(3), ...doneAttempt('fetch', 4)];
  assert.equal(foundIn(history), { chain: [], document: [] });
});

test('a step that the document has not is told when it is scheduled; what it does then is told no more', () => {
  const id = 'plan.more.1';
  const history = [
    ...ADMISSION,
    ...by(
      'dispatcher',
      other(SCHEDULE, { step_id: 'more', execution_id: id }),
      other(startOf(ID), { execution_id: id }),
      succeeded(id, 1_000),
    ),
    ...by('settler', ...settledExecution('plan', id, 0, 0)),
  ];
  const { chain, document } = foundIn(history);
  assert.equal(chain, []);
  assert.equal(
    document.map(({ place, message }) => [place, /no step more/.test(message)]),
    [[`line ${ADMISSION.length + 1}`, true]],
  );
});

test('a plan that had to end and whose document nobody could read: the reserve is charged, and its predicates do not hold', () => {
  const cancel = by('admission', cancelRequested('client'));
  const charged = by('settler', ...settledExecution('plan', ID, 400, 400));
  assert.equal(foundIn([...FAILED, ...cancel, ...charged]), { chain: [], document: [] });
  assert.is(foundIn([...FAILED, ...charged]).document.length, 1, 'else its cost is known');
  const unread = (ok: boolean) => by('settler', other(checked(0, ok), { pointer: '', predicate: 'unread' }));
  const failed = by('settler', settled('failed', 110));
  assert.equal(foundIn([...DONE, ...cancel, ...unread(false), ...failed]), { chain: [], document: [] });
  assert.is(foundIn([...DONE, ...unread(false), ...failed]).document.length, 1, 'else it is read');
  assert.is(foundIn([...DONE, ...cancel, ...unread(true)]).document.length, 1, 'what nobody read does not hold');
});

test('a plan has no more predicates than it was admitted with', () => {
  const one = { ...PLAN, predicates: PLAN.predicates.slice(0, 1) };
  assert.equal(
    foundIn(ENDED, one).document.map(({ seq, expected }) => `${seq} ${expected}`),
    [`2 1`, `${ENDED.length - 1} no further predicate`, `${ENDED.length} 1 before the end`],
  );
});

test('a plan that 8ebb686 ran is as it was admitted', async () => {
  const folder = new URL('../ledger/golden/v1/demo/', import.meta.url);
  const plan = parseAdmitted(await readFile(new URL('penguins-v1.admitted.json', folder)));
  const lines = (await readFile(new URL('penguins-v1.ndjson', folder), 'utf8')).trimEnd().split('\n');
  const history: Told[] = [];
  const verifier = new Verifier((told) => history.push(told));
  for (const [index, line] of lines.entries()) verifier.line(line, `line ${index + 1}`);
  assert.is(history.length, lines.length);
  assert.equal(audit(plan, history), []);
});

test.run();
