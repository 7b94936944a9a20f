import * as assert from 'uvu/assert';
import { type Head, headOf } from '../../shared/ledger/chain.ts';
import { hashEvent, type RawEvent } from '../../shared/ledger/envelope.ts';
import type { LedgerEvent } from '../../shared/ledger/events.ts';
import { beginningOf, ChainReader, type Reading, readOn } from '../../shared/ledger/reading.ts';
import { suite } from '../harness/suite.ts';
import { plain } from './plain.ts';
import { admittedChain, START_MS, scheduled, sealedByWriters, settled, started } from './plan-history.ts';

const test = suite('reading a chain');

const CHAIN = admittedChain('plan');
const COMMITS: readonly (readonly RawEvent[])[] = CHAIN.commits;
const START: Reading = readOn(beginningOf('plan'), COMMITS);

/** What would follow a head, as the services write it. */
const after = (head: Head, ...drafts: Parameters<typeof sealedByWriters>[2]): LedgerEvent[] =>
  sealedByWriters('plan', head, drafts, START_MS + 100);

/** The same event with some fields otherwise, hashed again: it links. */
function otherwise(event: RawEvent | undefined, fields: Readonly<Record<string, unknown>>): RawEvent {
  const raw = { ...event, ...fields } as RawEvent;
  return { ...raw, this_hash: hashEvent(raw) };
}

const [RESERVED, SCHEDULED] = after(START.head, ...scheduled('plan', 'fetch', 1, 100));
const standingOf = ({ standing }: Reading): string =>
  standing.kind === 'known' ? 'known' : `${standing.kind} from ${standing.seq}`;

/** What was said of each commit, and where the plan stands then. */
function read(...commits: readonly (readonly RawEvent[])[]): { said: string[]; reading: Reading } {
  const reader = new ChainReader(START);
  const said = commits.map((commit) => {
    const taken = reader.take(commit);
    return taken.kind === 'foreign' ? `foreign ${taken.error.code}` : `linked ${taken.events.length}`;
  });
  return { said, reading: reader.reading };
}

const must = (event: RawEvent | undefined): RawEvent => {
  assert.ok(event);
  return event as RawEvent;
};

test('a chain is read to its end: its head is the last event, and every event counts', () => {
  assert.is(standingOf(START), 'known');
  assert.equal(START.head, CHAIN.state.head);
  assert.equal(plain(START.state), plain(CHAIN.state));
  const { said, reading } = read([must(RESERVED), must(SCHEDULED)]);
  assert.equal(said, ['linked 2']);
  assert.is(reading.state.executions.size, 1);
});

test('a reading is no slower and no other commit by commit than all at once', () => {
  const steps = COMMITS.reduce((reading, commit) => readOn(reading, [commit]), beginningOf('plan'));
  assert.equal(steps, START);
});

test('foreign: what does not link is skipped whole, and the plan goes on as if it were not there', () => {
  const gap = otherwise(SCHEDULED, { prev_hash: `blake3:${'7'.repeat(64)}` });
  const late = otherwise(RESERVED, { seq: 9 });
  const early = otherwise(RESERVED, { ts: '2020-01-01T00:00:00.000Z' });
  const strange = otherwise(RESERVED, { plan_id: 'other' });
  const { said, reading } = read([gap], [late], [early], [strange], [must(RESERVED), gap], [must(RESERVED)]);
  assert.equal(said, [
    'foreign ERR_CHAIN_BROKEN',
    'foreign ERR_CHAIN_BROKEN',
    'foreign ERR_CHAIN_BROKEN',
    'foreign ERR_NOT_AN_EVENT',
    'foreign ERR_CHAIN_BROKEN',
    'linked 1',
  ]);
  assert.is(standingOf(reading), 'known');
  assert.is(reading.head.seq, 3);
});

test('an event that is told twice is foreign the second time', () => {
  assert.equal(read([must(RESERVED)], [must(RESERVED)]).said, ['linked 1', 'foreign ERR_CHAIN_BROKEN']);
});

for (const [name, fields] of Object.entries({
  kind: { kind: 'plan.paused' },
  version: { v: 2 },
  writer: { by: 'planner' },
})) {
  test(`newer by its ${name}: the chain goes on by its envelope, and no event changes the state any more`, () => {
    const newer = otherwise(RESERVED, fields);
    const [next] = after(headOf(newer), started('plan.fetch.1'));
    const { said, reading } = read([newer], [must(next)]);
    assert.equal(said, ['linked 0', 'linked 0']);
    assert.is(standingOf(reading), 'newer from 3');
    assert.is(reading.head.seq, 4);
    assert.is(reading.head.hash, next?.this_hash);
    assert.is(reading.state.head.seq, 2);
    assert.is(reading.state.executions.size, 0);
  });
}

test('behind a newer event what does not link is foreign still, and what would be illegal is not judged', () => {
  const newer = otherwise(RESERVED, { v: 2 });
  const [end] = after(headOf(newer), settled('succeeded', 5));
  assert.equal(read([newer], [must(SCHEDULED)], [must(end)]).said, [
    'linked 0',
    'foreign ERR_CHAIN_BROKEN',
    'linked 0',
  ]);
  assert.is(standingOf(read([newer], [must(end)]).reading), 'newer from 3');
});

test('what stands before a newer event in its commit counts', () => {
  const newer = otherwise(SCHEDULED, { v: 3 });
  const { said, reading } = read([must(RESERVED), newer]);
  assert.equal(said, ['linked 1']);
  assert.is(standingOf(reading), 'newer from 4');
  assert.is(reading.state.budget.held, 100);
});

test('quarantined: what is linked and illegal where it stands, or has other fields at its version', () => {
  const [end] = after(START.head, settled('succeeded', 5));
  const more = otherwise(RESERVED, { data: { ...RESERVED?.data, more: 1 } });
  for (const event of [must(end), more]) {
    const { said, reading } = read([event]);
    assert.equal(said, ['linked 0']);
    assert.is(standingOf(reading), 'quarantined from 3');
    assert.is(reading.head.hash, event.this_hash);
    assert.equal(plain(reading.state), plain(START.state));
  }
});

test('a quarantine stays, with the reason that it began with', () => {
  const [end] = after(START.head, settled('succeeded', 5));
  const [again] = after(headOf(must(end)), settled('failed', 7));
  const { reading } = read([must(end)], [must(again)]);
  assert.is(standingOf(reading), 'quarantined from 3');
  assert.match(reading.standing.kind === 'quarantined' ? reading.standing.error.message : '', /at seq 3 of plan/);
  assert.is(reading.head.seq, 4);
  assert.is(standingOf(readOn(reading, [])), 'quarantined from 3');
});

test('who follows an export goes on behind an event that does not link, and the plan is quarantined from it', () => {
  const reader = new ChainReader(START);
  const gap = otherwise(SCHEDULED, { prev_hash: `blake3:${'7'.repeat(64)}` });
  const taken = reader.take([gap]);
  assert.is(taken.kind, 'foreign');
  if (taken.kind === 'foreign') reader.follow(gap, taken.error);
  assert.is(standingOf(reader.reading), 'quarantined from 4');
  const [next] = after(headOf(gap), settled('failed', 0));
  assert.is(reader.take([must(next)]).kind, 'linked');
  if (taken.kind === 'foreign') reader.follow(must(next), taken.error);
  assert.is(standingOf(reader.reading), 'quarantined from 4');
});

test('a reading that was given is left as it was', () => {
  const before = JSON.stringify([...START.state.executions]);
  read([must(RESERVED), must(SCHEDULED)]);
  assert.is(JSON.stringify([...START.state.executions]), before);
  assert.is(START.head.seq, 2);
});

test.run();
