import * as assert from 'uvu/assert';
import type { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { EMPTY_HEAD, seal } from '../../shared/ledger/chain.ts';
import { hashEvent, type RawEvent } from '../../shared/ledger/envelope.ts';
import type { Draft } from '../../shared/ledger/events.ts';
import { readMeaning, understood } from '../../shared/ledger/meaning.ts';
import { suite } from '../harness/suite.ts';
import { admitted, lost, START_MS, started, submitted } from './plan-history.ts';

const test = suite('what an event means');

/** An event of the newest version with some of its fields otherwise, hashed again. */
function rawOf(draft: Draft, otherwise: Readonly<Record<string, unknown>> = {}): RawEvent {
  const [event] = seal(EMPTY_HEAD, [draft], { planId: 'plan', by: 'admission', nowMs: START_MS });
  const raw = { ...event, ...otherwise } as RawEvent;
  return { ...raw, this_hash: hashEvent(raw) };
}

const SUBMITTED = submitted('plan');
const newer = (raw: RawEvent): string => {
  const meaning = readMeaning(raw);
  return meaning.kind === 'newer' ? meaning.why : meaning.kind;
};
const illegal = (raw: RawEvent): string => {
  const meaning = readMeaning(raw);
  if (meaning.kind !== 'illegal') return meaning.kind;
  const { code, message, place } = meaning.error;
  return `${code} ${message}, ${place.pointer} ${place.expected}`;
};

test('an event of the newest version is read as it was written', () => {
  const raw = rawOf(SUBMITTED);
  assert.equal(readMeaning(raw), { kind: 'event', event: raw });
  assert.is(understood(raw).kind, 'plan.submitted');
});

test('newer by its kind, its version or its writer: each says which', () => {
  assert.is(newer(rawOf(SUBMITTED, { kind: 'plan.paused' })), 'the kind plan.paused is not known');
  assert.is(newer(rawOf(SUBMITTED, { v: 3 })), 'version 3 of plan.submitted is not known');
  assert.is(newer(rawOf(SUBMITTED, { by: 'planner' })), 'the writer planner is not known');
});

test('a kind that every object has by nature is not known either', () => {
  assert.is(newer(rawOf(SUBMITTED, { kind: 'constructor.name' })), 'the kind constructor.name is not known');
  assert.is(newer(rawOf(SUBMITTED, { by: 'constructor' })), 'the writer constructor is not known');
});

test('a newer event may have any other fields: nothing is said of them', () => {
  assert.match(newer(rawOf(SUBMITTED, { v: 3, data: {}, span: 'x' })), /version 3/);
});

test('other fields at the same version are illegal, with their place: beside the data, in it, missing, of another type', () => {
  const { data } = SUBMITTED;
  const place = 'plan.submitted at seq 1 of plan: ';
  assert.is(
    illegal(rawOf(SUBMITTED, { span: 'x' })),
    `ERR_COMMIT_INVALID ${place}no version has a field "span", /span no such field`,
  );
  assert.match(
    illegal(rawOf(SUBMITTED, { data: { ...data, more: 1 } })),
    /^ERR_COMMIT_INVALID .*, \/data\/more no such field$/,
  );
  assert.match(illegal(rawOf(SUBMITTED, { data: {} })), /, \/data a field "plan_path"$/);
  assert.match(
    illegal(rawOf(SUBMITTED, { data: { ...data, bytes: '1' } })),
    /, \/data\/bytes a value of type integer$/,
  );
});

test('fields of the newest version in an event of an older one are illegal there', () => {
  assert.match(illegal(rawOf(SUBMITTED, { v: 1 })), /, \/data\/(principal|command_seq) no such field$/);
  assert.match(illegal(rawOf(lost('plan.fetch.1', null), { v: 1 })), /, \/data\/duration_ms a value of type integer$/);
});

/** A draft as version 1 wrote it. */
function firstVersion(draft: Draft, ...added: readonly string[]): RawEvent {
  const data = Object.fromEntries(Object.entries(draft.data).filter(([field]) => !added.includes(field)));
  return rawOf(draft, { v: 1, data });
}

test('what version 1 did not tell is told in words of the newest: by what it meant, or as not known', () => {
  const dataOf = (raw: RawEvent) => understood(raw).data as Readonly<Record<string, unknown>>;
  const old = dataOf(firstVersion(SUBMITTED, 'principal', 'command_seq'));
  assert.equal([old.principal, old.command_seq], ['anonymous', 0]);
  const plan = dataOf(firstVersion(admitted('plan', 1), 'predicates', 'timeout_s'));
  assert.equal([plan.predicates, plan.timeout_s], [null, null]);
  assert.is(dataOf(firstVersion(started('plan.fetch.1'), 'session')).session, 'dispatcher-1');
  assert.is(dataOf(rawOf(lost('plan.fetch.1', 0), { v: 1 })).duration_ms, 0);
});

test('what was read keeps the version and the hash that it was written with', () => {
  const raw = firstVersion(SUBMITTED, 'principal', 'command_seq');
  const { v, this_hash } = understood(raw);
  assert.equal({ v, this_hash }, { v: 1, this_hash: raw.this_hash });
});

test('who cannot go on without the meaning is told why: ERR_VERSION for newer, ERR_COMMIT_INVALID for illegal', () => {
  const thrown = (raw: RawEvent): string => {
    try {
      return understood(raw).kind;
    } catch (error) {
      return `${(error as IsomorphError).code} ${(error as IsomorphError).message}`;
    }
  };
  assert.is(
    thrown(rawOf(SUBMITTED, { v: 3 })),
    'ERR_VERSION seq 1 of plan is newer than this version: version 3 of plan.submitted is not known',
  );
  assert.match(thrown(rawOf(SUBMITTED, { data: {} })), /^ERR_COMMIT_INVALID plan\.submitted at seq 1 of plan: /);
});

test.run();
