import * as assert from 'uvu/assert';
import type { Fault } from '../../shared/errors/isomorph-error.ts';
import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { boundedFaults } from '../../shared/ledger/bounded-faults.ts';
import { EVENT_LIMITS } from '../../shared/ledger/events.ts';
import { suite } from '../harness/suite.ts';

const test = suite('faults of a rejected plan');

const fault = (text: string): Fault => ({ code: 'ERR_SCHEMA', message: text, pointer: text, expected: text });

test('a few short faults are kept as they are, with what each has', () => {
  const faults: Fault[] = [fault('one'), { code: 'ERR_TOO_LARGE', message: 'two' }];
  assert.equal(boundedFaults(faults), faults);
  assert.equal(Object.keys(boundedFaults(faults)[1] ?? {}), ['code', 'message']);
  assert.equal(boundedFaults([]), []);
});

test('of many the first fifty are kept', () => {
  const faults = Array.from({ length: 60 }, (_, index) => fault(String(index)));
  assert.equal(boundedFaults(faults), faults.slice(0, 50));
});

test('a long text is clipped, each of a fault by itself', () => {
  const [kept] = boundedFaults([fault('x'.repeat(501))]);
  for (const text of [kept?.message, kept?.pointer, kept?.expected]) {
    assert.ok(text?.startsWith('x'.repeat(400)) && text.length <= 501 && text !== 'x'.repeat(501), text);
  }
  assert.equal(boundedFaults([fault('x'.repeat(500))]), [fault('x'.repeat(500))]);
});

test('all that is kept fits into half an event, to the byte', () => {
  const long = fault('x'.repeat(500));
  const bytes = canonicalBytes(long).byteLength;
  const room = Math.floor(EVENT_LIMITS.event_bytes / 2);
  const fits = Array.from({ length: Math.floor(room / bytes) }, () => long);
  /** A last fault that fills what is left of the room, and so many bytes more. */
  const last = (extra: number): Fault => {
    const left = (room % bytes) - canonicalBytes({ ...long, expected: '' }).byteLength;
    return { ...long, expected: 'x'.repeat(left + extra) };
  };
  assert.is(boundedFaults([...fits, last(0)]).length, fits.length + 1);
  assert.is(boundedFaults([...fits, last(1)]).length, fits.length);
  // What is too large ends the list: what follows would be read as all that there was.
  assert.is(boundedFaults([...fits, last(1), fault('x')]).length, fits.length);
});

test.run();
