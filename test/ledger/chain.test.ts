import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { checkLink, EMPTY_HEAD, encodeCommit, headOf, seal } from '../../shared/ledger/chain.ts';
import { decodeLine, hashEvent, parseLine } from '../../shared/ledger/envelope.ts';
import { type Draft, EVENT_KINDS, EVENT_LIMITS, type LedgerEvent } from '../../shared/ledger/events.ts';
import { understood } from '../../shared/ledger/meaning.ts';
import { commitSubject, decodeCommit, planOfSubject } from '../../shared/wire/ledger.ts';
import { suite } from '../harness/suite.ts';
import { histories } from './arbitrary.ts';
import { admittedChain, checked, START_MS } from './plan-history.ts';

const test = suite('ledger chain');

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const utf8 = (line: string): Uint8Array => new TextEncoder().encode(line);

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    assert.instance(error, IsomorphError);
    return (error as IsomorphError).code;
  }
  return 'nothing was refused';
}

test('an event hashes to what b3sum prints for its canonical bytes without this_hash', () => {
  const written =
    '{"by":"admission","data":{"bytes":321,"plan_cid":"blake3:a5e5bd1eb188c1a2789f6af87bd0b36c462fb43d0ed1fa2e04ecbcd2b0abb07b","plan_path":"/artifacts/plans/iris-001/plan.json"},"kind":"plan.submitted","plan_id":"iris-001","prev_hash":null,"seq":1,"ts":"2026-11-22T08:00:00.000Z","v":1}';
  // Printed by b3sum 1.2.0.
  const hash = 'blake3:b5be223dcf17f63b3576d1bba42205a8876513a7499485772bc992f8ace76445';
  assert.is(hashEvent(JSON.parse(written)), hash);
  const line = written.replace('"ts"', `"this_hash":"${hash}","ts"`);
  assert.is(decodeLine(line).this_hash, hash);
});

test('every history is a chain, and a commit comes back as it was written', () => {
  fc.assert(
    fc.property(histories(), ({ commits }) => {
      let head = EMPTY_HEAD;
      for (const commit of commits) {
        const last = commit.at(-1) as LedgerEvent;
        const bytes = encodeCommit(commit);
        assert.equal(
          decodeCommit(bytes, commitSubject(last)).map(({ raw }) => understood(raw)),
          commit,
        );
        for (const event of commit) {
          checkLink(head, event);
          head = headOf(event);
        }
      }
    }),
    { numRuns: 50 },
  );
});

test('a commit of one event is one JSON document', () => {
  const [event] = admittedChain('plan').events;
  assert.equal(JSON.parse(text(encodeCommit(event === undefined ? [] : [event]))), event);
});

test('a clock that ran back is held at the time of the head', () => {
  const chain = admittedChain('plan');
  const { head } = chain.state;
  const [event] = seal(head, [checked(0, true)], { planId: 'plan', by: 'settler', nowMs: START_MS - 3_600_000 });
  assert.is(event?.ts, head.ts);
});

test('a link that is wrong is told by its field, with what it should be', () => {
  const [first, second] = admittedChain('plan').events as [LedgerEvent, LedgerEvent];
  const wrong: [LedgerEvent, string, string][] = [
    [{ ...second, seq: 3 }, '/seq', '2'],
    [{ ...second, prev_hash: second.this_hash }, '/prev_hash', JSON.stringify(first.this_hash)],
    [{ ...second, ts: '2026-11-22T07:00:00.000Z' }, '/ts', `"not before ${first.ts}"`],
  ];
  for (const [event, pointer, expected] of wrong) {
    try {
      checkLink(headOf(first), event);
      assert.unreachable(`${pointer} was accepted`);
    } catch (error) {
      const { code, place } = error as IsomorphError;
      assert.equal([code, place], ['ERR_CHAIN_BROKEN', { pointer, expected }]);
    }
  }
});

test('an event that does not hash to what it says is none', () => {
  const [, second] = admittedChain('plan').events as [LedgerEvent, LedgerEvent];
  for (const changed of [
    { ...second, by: 'settler' },
    { ...second, this_hash: cidOf('other') },
  ]) {
    try {
      decodeLine(canonicalText(changed));
      assert.unreachable('it was accepted');
    } catch (error) {
      const { code, place } = error as IsomorphError;
      const expected = JSON.stringify(hashEvent(changed as LedgerEvent));
      assert.equal([code, place], ['ERR_NOT_AN_EVENT', { pointer: '/this_hash', expected }]);
    }
  }
});

/** An event whose canonical form has exactly so many bytes. */
function eventOf(bytes: number, seq = 1): LedgerEvent {
  const fault = { code: 'ERR_POLICY', message: '' };
  const sizes = [...Array(20).keys()].map(() => ({ ...fault }));
  const draft: Draft = { kind: 'plan.rejected', data: { faults: sizes, fault_count: 1 } };
  const sealed = () =>
    seal({ ...EMPTY_HEAD, seq: seq - 1 }, [draft], {
      planId: 'plan',
      by: 'admission',
      nowMs: START_MS,
    })[0] as LedgerEvent;
  let missing = bytes - Buffer.byteLength(canonicalText(sealed()));
  for (const one of sizes) {
    one.message = 'x'.repeat(Math.min(8_000, missing));
    missing -= one.message.length;
  }
  assert.is(Buffer.byteLength(canonicalText(sealed())), bytes);
  return sealed();
}

test('an event may have 65,535 bytes and no byte more', () => {
  assert.is(encodeCommit([eventOf(EVENT_LIMITS.event_bytes)]).byteLength, EVENT_LIMITS.event_bytes);
  assert.is(
    codeOf(() => encodeCommit([eventOf(EVENT_LIMITS.event_bytes + 1)])),
    'ERR_TOO_LARGE',
  );
});

test('a commit may have 512 KiB and no byte more', () => {
  const eight = [...Array(8).keys()].map((index) => eventOf(65_000, index + 1));
  // A line feed behind each of the eight.
  const rest = EVENT_LIMITS.commit_bytes - 8 * 65_001;
  assert.is(encodeCommit([...eight, eventOf(rest, 9)]).byteLength, EVENT_LIMITS.commit_bytes);
  assert.is(
    codeOf(() => encodeCommit([...eight, eventOf(rest + 1, 9)])),
    'ERR_TOO_LARGE',
  );
});

const chain = admittedChain('plan');
const commit = encodeCommit(chain.commits[0] ?? []);
const SUBJECT = 'ledger.plan.plan.admitted';

test('a commit on a subject that is not its own is no commit', () => {
  assert.is(decodeCommit(commit, SUBJECT).length, 2);
  for (const subject of [
    'ledger.other.plan.admitted',
    'ledger.plan.plan.submitted',
    'ledger.plan',
    'plan.admitted',
    '',
  ]) {
    assert.is(
      codeOf(() => decodeCommit(commit, subject)),
      'ERR_NOT_AN_EVENT',
      subject,
    );
  }
});

test('a commit of two plans is no commit', () => {
  const other = encodeCommit(admittedChain('other').commits[0] ?? []);
  const both = utf8(`${text(commit)}\n${text(other)}`);
  for (const subject of [SUBJECT, 'ledger.other.plan.admitted']) {
    assert.is(
      codeOf(() => decodeCommit(both, subject)),
      'ERR_NOT_AN_EVENT',
    );
  }
});

test('bytes that are not the canonical form are no event, though they parse to one', () => {
  const line = text(encodeCommit(chain.events.slice(0, 1)));
  const event = JSON.parse(line) as Record<string, unknown>;
  assert.equal(decodeLine(line), event);
  const { by, ...rest } = event;
  const variants: Record<string, string> = {
    'white space': line.replace('":', '": '),
    'a line feed at the end': `${line}\n`,
    'a carriage return at the end': `${line}\r`,
    'a byte order mark': `\ufeff${line}`,
    'keys in another order': JSON.stringify({ ...rest, by }),
    'an escaped letter': line.replace('admission', '\\u0061dmission'),
    'an escaped slash': line.replace('/artifacts', '\\/artifacts'),
    'another form of a number': line.replace('"bytes":321', '"bytes":321.0'),
    'a key twice': line.replace('"bytes":321', '"bytes":999,"bytes":321'),
    'an unknown field': line.replace('"kind"', '"colour":"red","kind"'),
    'a text that is no JSON': line.slice(1),
    'an empty line': '',
  };
  for (const [what, variant] of Object.entries(variants)) {
    assert.is.not(variant, line, what);
    assert.is(
      codeOf(() => decodeLine(variant)),
      'ERR_NOT_AN_EVENT',
      what,
    );
    assert.is(
      codeOf(() => decodeCommit(utf8(variant), 'ledger.plan.plan.submitted')),
      'ERR_NOT_AN_EVENT',
      what,
    );
  }
});

test('what JSON can spell but no event may hold is no event', () => {
  const line = text(encodeCommit(chain.events.slice(0, 1)));
  const variants: Record<string, string> = {
    'a lone surrogate': line.replace('/artifacts/', '/artifacts/\\ud800'),
    'a day that does not exist': line.replace(/"ts":"\d{4}-\d\d-\d\d/, '"ts":"2026-02-30'),
  };
  for (const [what, variant] of Object.entries(variants)) {
    assert.is.not(variant, line, what);
    assert.is(
      codeOf(() => decodeLine(variant)),
      'ERR_NOT_AN_EVENT',
      what,
    );
  }
});

test('bytes that are no UTF-8 are not repaired into an event', () => {
  const bytes = Uint8Array.from(commit);
  const at = text(bytes).indexOf('default');
  for (const byte of [0xff, 0xc3, 0x80]) {
    bytes[at] = byte;
    assert.is(
      codeOf(() => decodeCommit(bytes, SUBJECT)),
      'ERR_NOT_AN_EVENT',
    );
  }
  // What a decoder that repairs would make of it is a canonical event.
  const repaired = text(bytes).split('\n')[1] ?? '';
  assert.is(parseLine(repaired).kind, 'plan.admitted');
});

test('what has not the form of an event is none', () => {
  const line = text(encodeCommit(chain.events.slice(0, 1)));
  const changes: [string, string][] = [
    ['plan.submitted', 'Plan Submitted'],
    ['"admission"', '"Mallory"'],
    ['"v":2', '"v":0'],
    ['"v":2', '"v":2.5'],
    ['"plan_id":"plan"', '"plan_id":"Plan"'],
    ['"seq":1', '"seq":0'],
    ['"seq":1', '"seq":1.5'],
    ['.010Z', 'Z'],
    ['"prev_hash":null', '"prev_hash":""'],
  ];
  for (const [from, to] of changes) {
    assert.ok(line.includes(from), from);
    assert.is(
      codeOf(() => parseLine(line.replace(from, to))),
      'ERR_NOT_AN_EVENT',
      to,
    );
  }
});

test('the plan of a subject is known only where the subject has the shape of the ledger', () => {
  assert.is(planOfSubject('ledger.iris-001.plan.settled'), 'iris-001');
  for (const kind of EVENT_KINDS) assert.is(planOfSubject(commitSubject({ plan_id: 'p_1', kind })), 'p_1');
  for (const subject of ['ledger.Iris.plan', 'ledger..plan', 'ledger.iris', 'facts.iris.x', 'xledger.iris.plan']) {
    assert.is(planOfSubject(subject), undefined, subject);
  }
});

test.run();
