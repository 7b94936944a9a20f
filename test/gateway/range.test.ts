import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { parseRangeHeader } from '../../services/gateway/range.ts';
import { suite } from '../harness/suite.ts';

const test = suite('range header');

const WHOLE = undefined;
const NOTHING = 'unsatisfiable';

test('one range of bytes, as RFC 9110 reads it', () => {
  const cases: readonly [string | undefined, number, ReturnType<typeof parseRangeHeader>][] = [
    [undefined, 10, WHOLE],
    ['bytes=0-', 10, { offset: 0, length: 10 }],
    ['bytes=0-0', 10, { offset: 0, length: 1 }],
    ['bytes=3-5', 10, { offset: 3, length: 3 }],
    ['bytes=9-9', 10, { offset: 9, length: 1 }],
    ['bytes=3-', 10, { offset: 3, length: 7 }],
    // A last byte beyond the end means the end.
    ['bytes=3-99', 10, { offset: 3, length: 7 }],
    ['bytes=3-10', 10, { offset: 3, length: 7 }],
    // The last so many.
    ['bytes=-4', 10, { offset: 6, length: 4 }],
    ['bytes=-10', 10, { offset: 0, length: 10 }],
    ['bytes=-99', 10, { offset: 0, length: 10 }],
    ['bytes=-0', 10, NOTHING],
    ['bytes=-5', 0, NOTHING],
    ['bytes=10-', 10, NOTHING],
    ['bytes=10-12', 10, NOTHING],
    ['bytes=0-', 0, NOTHING],
    ['bytes=999999999999999-', 10, NOTHING],
    // What a server may ignore: no range, an upside-down one, several, another unit, digits without end.
    ['bytes=-', 10, WHOLE],
    ['bytes=5-3', 10, WHOLE],
    ['bytes=12-11', 10, WHOLE],
    ['bytes=0-1,3-4', 10, WHOLE],
    ['lines=0-1', 10, WHOLE],
    [' bytes=0-1', 10, WHOLE],
    ['xbytes=0-1', 10, WHOLE],
    ['bytes=0-1 ', 10, WHOLE],
    ['bytes=a-b', 10, WHOLE],
    ['bytes=9999999999999999-', 10, WHOLE],
    ['bytes=0-9999999999999999', 10, WHOLE],
    ['', 10, WHOLE],
  ];
  for (const [header, size, expected] of cases) {
    assert.equal(parseRangeHeader(header, size), expected, `${header} of ${size}`);
  }
});

test('what is sent lies within the object and is never empty', () => {
  const part = fc.option(fc.nat({ max: 40 }), { nil: undefined });
  fc.assert(
    fc.property(part, part, fc.nat({ max: 30 }), (first, last, size) => {
      const range = parseRangeHeader(`bytes=${first ?? ''}-${last ?? ''}`, size);
      if (range === undefined || range === 'unsatisfiable') return;
      assert.ok(range.offset >= 0 && range.length >= 1 && range.offset + range.length <= size);
    }),
  );
});

test.run();
