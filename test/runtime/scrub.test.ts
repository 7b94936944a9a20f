import { inspect } from 'node:util';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { type Scrubber, scrubberOf } from '../../shared/text/scrub.ts';
import { scrubCredentials } from '../../shared/text/scrub-credentials.ts';
import { suite } from '../harness/suite.ts';

const test = suite('scrub');

const TOKEN = 'pa ss"w\\ör+d/€😀';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const hex = (text: string): string => Buffer.from(text).toString('hex');
/** As Python's json.dumps does: ASCII alone. */
const asciiJson = (text: string): string =>
  JSON.stringify(text).replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
/** As the strictest URL-encoders do. */
const everyByteEncoded = (text: string): string => hex(text).replace(/../g, (byte) => `%${byte.toUpperCase()}`);

/** What programs make of a value on its way into a log. */
const FORMS: Readonly<Record<string, (value: string) => string>> = {
  raw: (value) => value,
  'in JSON': JSON.stringify,
  'in ASCII JSON': asciiJson,
  'in JSON in JSON': (value) => JSON.stringify(JSON.stringify(value)),
  inspected: (value) => inspect({ value }),
  'in base64': base64,
  'in base64, one byte before it': (value) => base64(`:${value}`),
  'in base64, two bytes before it': (value) => base64(`u:${value}`),
  'in base64, with a line feed': (value) => base64(`${value}\n`),
  'in base64url': (value) => Buffer.from(`user:${value}@host`).toString('base64url'),
  'in base64 of short lines': (value) => base64(`xxx${value}`).replace(/.{7}/g, '$&\n'),
  'in base64 in JSON': (value) => JSON.stringify(base64(value)).replaceAll('/', '\\/'),
  'in hex': hex,
  'in upper-case hex': (value) => hex(value).toUpperCase(),
  'in hex with spaces, as a buffer is inspected': (value) => hex(value).replace(/(..)(?=.)/g, '$1 '),
  'in hex with colons': (value) => hex(value).replace(/(..)(?=.)/g, '$1:'),
  'URL-encoded': encodeURIComponent,
  'form-encoded': (value) => new URLSearchParams({ value }).toString(),
  'URL-encoded byte by byte': everyByteEncoded,
  'URL-encoded, lower case': (value) => everyByteEncoded(value).toLowerCase(),
  'URL-encoded twice': (value) => encodeURIComponent(encodeURIComponent(value)),
  'JSON, URL-encoded': (value) => encodeURIComponent(JSON.stringify(value)),
};

/** Runs of twelve characters of a value's form that are left: a part of it would be a leak too. */
const leftOf = (text: string, form: string): string[] =>
  Array.from({ length: Math.max(0, form.length - 11) }, (_, at) => form.slice(at, at + 12)).filter((part) =>
    text.includes(part),
  );

function streamed(scrubber: Scrubber, text: string, sizes: readonly number[]): string {
  const bytes = Buffer.from(text);
  const stream = scrubber.stream();
  const out: Uint8Array[] = [];
  for (let at = 0, count = 0; at < bytes.byteLength; count++) {
    const size = sizes[count % sizes.length] ?? 1;
    out.push(stream.write(bytes.subarray(at, at + size)));
    at += size;
  }
  return Buffer.concat([...out, stream.end()]).toString('utf8');
}

for (const [form, encode] of Object.entries(FORMS)) {
  test(`a value is found ${form}, whole and in chunks, and what stands around it stays`, () => {
    const scrubber = scrubberOf({ TOKEN });
    const text = `before it, größer <${encode(TOKEN)}> after it\n`;
    const clean = scrubber.text(text);
    assert.match(clean, /^before it, größer <.*\[secret TOKEN\].*> after it\n$/s);
    assert.equal(leftOf(clean, encode(TOKEN)), [], clean);
    for (const size of [1, 2, 7, 64]) assert.is(streamed(scrubber, text, [size]), clean);
  });
}

/** What base64 and hex of it, or the value itself, are written in; System.Text.Json escapes a `+` too. */
const LAYERS: Readonly<Record<string, (value: string) => string>> = {
  none: (value) => value,
  JSON: JSON.stringify,
  'ASCII JSON': asciiJson,
  'JSON of .NET': (value) => asciiJson(value).replaceAll('+', '\\u002B'),
  inspect: (value) => inspect(value),
  URL: encodeURIComponent,
  form: (value) => new URLSearchParams({ v: value }).toString().slice(2),
  bytes: everyByteEncoded,
};

const INNER: Readonly<Record<string, (value: string) => string>> = {
  raw: (value) => value,
  base64,
  'base64 after a byte': (value) => base64(`>${value}~`),
  'base64 after two': (value) => base64(`>>${value}~~`),
  base64url: (value) => Buffer.from(`>${value}~`).toString('base64url'),
  'base64 in lines': (value) => base64(value).replace(/.{9}/g, '$&\r\n'),
  hex,
  'hex with colons': (value) =>
    hex(value)
      .toUpperCase()
      .replace(/(..)(?=.)/g, '$1:'),
  'hex with spaces': (value) => hex(value).replace(/(..)(?=.)/g, '$1 '),
};

test('every spelling inside two others is found, also where base64 or the value holds a plus', () => {
  for (const value of ['ab~cd~efgh~12', 'p>w>secret?pass>12', 'a b+c/d"&é\\n+', '++++++++', 'ûûûûûûû>>>???~~~']) {
    const scrubber = scrubberOf({ S: value });
    for (const [innerName, inner] of Object.entries(INNER)) {
      for (const [firstName, first] of Object.entries(LAYERS)) {
        for (const [secondName, second] of Object.entries(LAYERS)) {
          const form = second(first(inner(value)));
          const clean = scrubber.text(`x ${form} end`);
          const what = `${value}: ${innerName} in ${firstName} in ${secondName}: ${clean}`;
          assert.ok(clean.includes('[secret S]'), what);
          // Of base64, padding and what is of the bytes beside the value alone may stay.
          if (!innerName.startsWith('base64')) assert.equal(leftOf(clean, form), [], what);
          if (value === 'ab~cd~efgh~12')
            assert.not(streamed(scrubber, `${'.'.repeat(1_000)}${form}`, [97]).includes(form), what);
        }
      }
    }
  }
});

test('base64 with a plus, URL-encoded, goes with what it shares and no more', () => {
  const scrubber = scrubberOf({ S: 'ab~cd~efgh~12' });
  assert.is(scrubber.text('x=YWJ%2BY2R%2BZWZnaH4xMg%3D%3D end'), 'x=[secret S]%3D%3D end');
});

test('what holds no value stays as it is, byte for byte', () => {
  const scrubber = scrubberOf({ TOKEN, KEY: 'c2VjcmV0' });
  const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => (index * 31 + (index >> 8)) % 256);
  const stream = scrubber.stream({ mayBeCut: true });
  const out = Buffer.concat([stream.write(bytes), stream.end()]);
  assert.ok(out.equals(bytes));
  for (const text of ['', '\\', 'a\\u12', '100%', '%%%', 'c2Vj', '😀\n']) assert.is(scrubber.text(text), text);
});

test('values under four characters are not looked for; without values nothing is', () => {
  assert.is(scrubberOf({ PIN: '123', EMPTY: '' }).text('123 and so on'), '123 and so on');
  assert.is(scrubberOf({ PIN: '1234' }).text('1234 and so on'), '[secret PIN] and so on');
  assert.is(scrubberOf({}).text('all of it'), 'all of it');
});

test('values that hold or overlap each other leave nothing of either', () => {
  const scrubber = scrubberOf({ SHORT: 'abcdef', LONG: 'xxabcdefyy', OTHER: 'yyzzzz' });
  assert.is(scrubber.text('-xxabcdefyyzzzz-abcdef-'), '-[secret LONG]-[secret SHORT]-');
  assert.is(scrubberOf({ SAME: 'aaaa' }).text(`b${'a'.repeat(999)}b`), 'b[secret SAME]b');
});

test('lines of a value and fields of JSON are looked for by themselves', () => {
  const key = '-----BEGIN KEY-----\nMIIEvQIBADANBg\nq1w2e3r4\n-----END KEY-----\n';
  const database = JSON.stringify({ username: 'app', password: 'hunter2-hunter2' });
  const scrubber = scrubberOf({ KEY: key, DATABASE: database });
  assert.is(scrubber.text('> MIIEvQIBADANBg\n> q1w2e3r4\n'), '> [secret KEY]\n> [secret KEY]\n');
  assert.is(scrubber.text(`app:${hex('hunter2-hunter2')}`), 'app:[secret DATABASE]');
  assert.is(scrubber.text(key.trim()), '[secret KEY]');
});

test('pieces of a value at the ends of a text that was cut go too', () => {
  const scrubber = scrubberOf({ TOKEN: 'correct-horse-battery' });
  const cut = { mayBeCut: true };
  assert.is(scrubber.text('battery and correct-horse', cut), '[secret TOKEN] and [secret TOKEN]');
  assert.is(scrubber.text(`${base64('correct-horse-battery').slice(9)} and so on`, cut), '[secret TOKEN] and so on');
  assert.is(scrubber.text('battery and correct-horse'), 'battery and correct-horse');
});

test('a stream keeps no more than the longest form of the longest value', () => {
  const stream = scrubberOf({ TOKEN: 'x'.repeat(40) }).stream();
  let kept = 0;
  const chunk = Buffer.alloc(1_000, 'no value in it ');
  for (let count = 0; count < 1_000; count++) kept += chunk.byteLength - stream.write(chunk).byteLength;
  assert.ok(kept < 3_000, `${kept} bytes are kept`);
  assert.is(stream.end().byteLength, kept);
});

test('a large log is searched in moments, also one that is all escapes', () => {
  const scrubber = scrubberOf(
    Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`S${n}`, `${n}\\%`.repeat(20)])),
  );
  for (const piece of ['\\', '%25', '\\u0061', 'deadbeef']) {
    const text = piece.repeat(Math.floor(262_144 / piece.length));
    assert.is(scrubber.text(text), text);
  }
});

test('no text makes the search slow or overflows it: what is quadratic would not end here', () => {
  const scrubber = scrubberOf({ SAME: 'aaaaaaaa', LATE: `${'a'.repeat(4_000)}b` });
  assert.is(scrubber.text('a'.repeat(2_000_000)), '[secret SAME]');
  const prefixes = 'isoscratch_'.repeat(400_000);
  assert.is(scrubCredentials(prefixes), prefixes);
  assert.is(scrubCredentials(`${prefixes}.x`), 'isoscratch_REDACTED');
  const parameters = '?x-amz-signature='.repeat(200_000);
  assert.ok(scrubCredentials(parameters).length > 0);
});

test('any value in any form, in any chunks, among anything, is gone', () => {
  const value = fc.string({ unit: 'grapheme', minLength: 6, maxLength: 40 }).filter((text) => text.trim().length >= 6);
  const form = fc.constantFrom(...Object.values(FORMS));
  const around = fc.stringMatching(/^[G-Z .\n]{0,60}$/);
  const sizes = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 5 });
  const property = fc.property(value, form, around, around, sizes, (secret, encode, before, after, chunks) => {
    const scrubber = scrubberOf({ A: secret });
    const text = `${before}<${encode(secret)}>${after}`;
    const clean = scrubber.text(text);
    assert.not.ok(clean.includes(encode(secret)), clean);
    assert.ok(clean.includes('[secret A]'), clean);
    assert.is(streamed(scrubber, text, chunks), clean);
  });
  fc.assert(property, { numRuns: 500, seed: 20_261_122 });
});

test.run();
