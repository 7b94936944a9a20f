import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { checkLink, EMPTY_HEAD, encodeCommit, headOf } from '../../shared/ledger/chain.ts';
import { decodeLine, decodeText, hashEvent, parseLine, type RawEvent } from '../../shared/ledger/envelope.ts';
import { EVENT_LIMITS, type LedgerEvent } from '../../shared/ledger/events.ts';
import { suite } from '../harness/suite.ts';
import { admittedChain, START_MS } from './plan-history.ts';

const test = suite('the form of an event');

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.instance(error, IsomorphError);
    const { code, message, place } = error as IsomorphError;
    return `${place.pointer ?? ''} ${code}: ${message}; expected ${place.expected}`;
  }
  return 'taken';
}

const EVENT = admittedChain('plan').events[0] as unknown as RawEvent;

/** The event with other fields, hashed again: whoever forges one does so too. */
function forged(changes: Partial<RawEvent>): RawEvent {
  const open = { ...EVENT, ...changes };
  return { ...open, this_hash: hashEvent(open) };
}

test('what is not an event is told as what it is', () => {
  assert.is(
    refusal(() => parseLine(canonicalText(EVENT))),
    'taken',
  );
  assert.match(
    refusal(() => parseLine('{')),
    /^ ERR_NOT_AN_EVENT: no JSON: /,
  );
  assert.match(
    refusal(() => parseLine('{"seq":1}')),
    /^ ERR_NOT_AN_EVENT: no event: must have required property/,
  );
  const day = '2026-02-30T08:00:00.000Z';
  assert.is(
    refusal(() => parseLine(canonicalText(forged({ ts: day })))),
    `/ts ERR_NOT_AN_EVENT: no event: ${day} is no date; expected a day that exists`,
  );
  const spaced = canonicalText(EVENT).replace('{', '{ ');
  assert.match(
    refusal(() => parseLine(spaced)),
    /^ ERR_NOT_AN_EVENT: seq 1 is not in canonical form/,
  );
  // Canonical JSON cannot hold half a surrogate pair, so no line that has one is canonical.
  const lone = canonicalText(EVENT).replace('"plan_path":"', '"plan_path":"\\ud800');
  assert.match(
    refusal(() => parseLine(lone)),
    /^ ERR_NOT_AN_EVENT: seq 1 is not in canonical form/,
  );
  assert.is(
    refusal(() => decodeText(Uint8Array.of(0xff))),
    ' ERR_NOT_AN_EVENT: not UTF-8; expected undefined',
  );
});

test('an event may be as large as its version allows, and no larger', () => {
  const sized = (v: number, bytes: number): string => {
    const empty = canonicalText(forged({ v, data: { text: '' } })).length;
    return canonicalText(forged({ v, data: { text: 'x'.repeat(bytes - empty) } }));
  };
  for (const [v, most] of [
    [1, EVENT_LIMITS.event_bytes_v1],
    [2, EVENT_LIMITS.event_bytes],
    [3, EVENT_LIMITS.event_bytes],
  ] as const) {
    assert.is(
      refusal(() => parseLine(sized(v, most))),
      'taken',
      `${v}`,
    );
    assert.is(
      refusal(() => parseLine(sized(v, most + 1))),
      ` ERR_NOT_AN_EVENT: seq 1 has ${most + 1} bytes; expected at most ${most} bytes an event`,
    );
  }
  assert.equal([EVENT_LIMITS.event_bytes_v1, EVENT_LIMITS.event_bytes], [65_536, 65_535]);
});

test('an event that does not hash to what it says is told with the hash that it has', () => {
  const altered = { ...EVENT, plan_id: 'other' };
  assert.is(
    refusal(() => decodeLine(canonicalText(altered))),
    `/this_hash ERR_NOT_AN_EVENT: seq 1 of other: this_hash is wrong; expected ${JSON.stringify(hashEvent(altered))}`,
  );
});

test('a link that is wrong is told with the field and what it should be', () => {
  const head = headOf(EVENT);
  const next = (changes: Partial<RawEvent>): RawEvent => forged({ seq: 2, prev_hash: EVENT.this_hash, ...changes });
  assert.is(
    refusal(() => checkLink(head, next({}))),
    'taken',
  );
  assert.is(
    refusal(() => checkLink(EMPTY_HEAD, EVENT)),
    'taken',
  );
  const cases: readonly [Partial<RawEvent>, string, string][] = [
    [{ seq: 3 }, 'seq', '2'],
    [{ prev_hash: null }, 'prev_hash', JSON.stringify(EVENT.this_hash)],
    [{ ts: new Date(START_MS - 1).toISOString() }, 'ts', JSON.stringify(`not before ${EVENT.ts}`)],
  ];
  for (const [changes, field, expected] of cases) {
    assert.is(
      refusal(() => checkLink(head, next(changes))),
      `/${field} ERR_CHAIN_BROKEN: seq ${changes.seq ?? 2} of plan: ${field} is wrong; expected ${expected}`,
    );
  }
});

test('what is too large for the ledger is told with its size and the limit', () => {
  const big = (bytes: number): LedgerEvent => {
    const empty = canonicalText(forged({ data: { text: '' } })).length;
    return forged({ data: { text: 'x'.repeat(bytes - empty) } }) as unknown as LedgerEvent;
  };
  const { event_bytes: most, commit_bytes: all } = EVENT_LIMITS;
  assert.is(encodeCommit([big(most)]).byteLength, most);
  assert.is(
    refusal(() => encodeCommit([big(most + 1)])),
    ` ERR_TOO_LARGE: plan.submitted of plan has ${most + 1} bytes; expected at most ${most} bytes an event`,
  );
  const full = [...Array.from({ length: 7 }, () => big(most)), big(30_000)];
  const left = all - full.reduce((sum, event) => sum + canonicalText(event).length + 1, 0);
  assert.is(encodeCommit([...full, big(left)]).byteLength, all);
  assert.is(
    refusal(() => encodeCommit([...full, big(left + 1)])),
    ` ERR_TOO_LARGE: a commit has ${all + 1} bytes; expected at most ${all} bytes a commit`,
  );
  assert.is(encodeCommit([]).byteLength, 0);
});

test.run();
