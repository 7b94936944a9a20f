import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { EMPTY_HEAD } from '../../shared/ledger/chain.ts';
import { hashEvent, type RawEvent } from '../../shared/ledger/envelope.ts';
import { readMeaning, understood } from '../../shared/ledger/meaning.ts';
import { beginningOf, ChainReader, readOn } from '../../shared/ledger/reading.ts';
import { namesOtherwise } from '../../shared/ledger/state.ts';
import { suite } from '../harness/suite.ts';
import { admittedChain, scheduled, started, succeeded, written } from './plan-history.ts';

const test = suite('what an event says to this version');

const [FIRST, SECOND] = admittedChain('plan').events as unknown as readonly [RawEvent, RawEvent];
const NOTHING = beginningOf('plan');

function forged(event: RawEvent, changes: Readonly<Record<string, unknown>>): RawEvent {
  const open = { ...event, ...changes } as RawEvent;
  return { ...open, this_hash: hashEvent(open) };
}

function saidOf(event: RawEvent): string {
  const meaning = readMeaning(event);
  if (meaning.kind === 'event') return 'known';
  if (meaning.kind === 'newer') return `newer: ${meaning.why}`;
  const { code, message, place } = meaning.error;
  return `illegal: ${code} ${place.pointer}: ${message}; expected ${place.expected}`;
}

test('a kind, a version or a writer of later times is newer, never illegal', () => {
  assert.is(saidOf(FIRST), 'known');
  assert.is(saidOf(forged(FIRST, { kind: 'plan.paused' })), 'newer: the kind plan.paused is not known');
  assert.is(saidOf(forged(FIRST, { v: 99, data: {} })), 'newer: version 99 of plan.submitted is not known');
  assert.is(saidOf(forged(FIRST, { by: 'notary' })), 'newer: the writer notary is not known');
});

test('what a known version never writes is illegal, with its place', () => {
  const place = 'plan.submitted at seq 1 of plan';
  assert.is(
    saidOf(forged(FIRST, { more: 1 })),
    `illegal: ERR_COMMIT_INVALID /more: ${place}: no version has a field "more"; expected no such field`,
  );
  assert.is(
    saidOf(forged(FIRST, { data: { ...FIRST.data, bytes: 'many' } })),
    `illegal: ERR_COMMIT_INVALID /data/bytes: ${place}: must be integer; expected a value of type integer`,
  );
});

test('who cannot go on without the meaning is told why there is none', () => {
  const codeOf = (event: RawEvent): string => {
    try {
      understood(event);
      return 'understood';
    } catch (error) {
      return error instanceof IsomorphError ? `${error.code}: ${error.message}` : String(error);
    }
  };
  assert.is(codeOf(FIRST), 'understood');
  assert.is(
    codeOf(forged(FIRST, { v: 99 })),
    'ERR_VERSION: seq 1 of plan is newer than this version: version 99 of plan.submitted is not known',
  );
  assert.match(codeOf(forged(FIRST, { more: 1 })), /^ERR_COMMIT_INVALID: /);
});

test('foreign, newer and illegal are told apart, and the chain goes on behind the last two', () => {
  const reader = new ChainReader(NOTHING);
  const other = reader.take([forged(FIRST, { plan_id: 'other' })]);
  assert.is(other.kind === 'foreign' && other.error.message, 'an event of other among those of plan');
  assert.is(reader.take([SECOND]).kind, 'foreign');
  assert.equal(reader.reading.head, EMPTY_HEAD);

  const newer = forged(FIRST, { v: 99 });
  const behind = forged(SECOND, { prev_hash: newer.this_hash });
  const after = readOn(NOTHING, [[newer], [behind]]);
  assert.equal(after.standing, { kind: 'newer', seq: 1, why: 'version 99 of plan.submitted is not known' });
  assert.equal([after.head.seq, after.state.phase], [2, 'absent']);

  const odd = forged(FIRST, { more: 1 });
  const quarantined = readOn(NOTHING, [[odd], [forged(SECOND, { prev_hash: odd.this_hash })]]);
  assert.equal([quarantined.standing.kind, quarantined.head.seq], ['quarantined', 2]);
  // Well-formed, and not legal where it stands.
  const early = forged(SECOND, { seq: 1, prev_hash: null });
  assert.is(readOn(NOTHING, [[early]]).standing.kind, 'quarantined');
  assert.is(readOn(NOTHING, [[FIRST], [SECOND]]).standing.kind, 'known');
});

test('a break in an export is kept as the first that was found', () => {
  const broken = (message: string): IsomorphError => new IsomorphError('ERR_CHAIN_BROKEN', message, {});
  const reader = new ChainReader(NOTHING);
  reader.follow(SECOND, broken('first'));
  reader.follow(SECOND, broken('second'));
  const { standing, head } = reader.reading;
  assert.equal([standing.kind === 'quarantined' && standing.error.message, head.seq], ['first', 2]);
});

test('bytes at a path are none of the plan’s when the ledger names others there', () => {
  const id = 'plan.train.1';
  const { state } = admittedChain('plan')
    .append('dispatcher', scheduled('plan', 'train', 1, 400))
    .append('dispatcher', [started(id)])
    .append('dispatcher', [written('plan', 'train', 'out.json', id, 'x'), succeeded(id, 5)]);
  const path = '/artifacts/outputs/plan/train/out.json';
  const answers = [cidOf('x'), cidOf('y')].map((cid) => namesOtherwise(state, path, cid));
  assert.equal([...answers, namesOtherwise(state, '/artifacts/inputs/a', cidOf('y'))], [false, true, false]);
});

test.run();
