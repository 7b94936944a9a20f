/**
 * Searches over text that others wrote end in time, whatever the text is. Each gets a megabyte of every repeat that its
 * pattern could go back over: 10^12 steps where it did, which no timeout of a suite waits for.
 */
import * as assert from 'uvu/assert';
import { plain, plainLines } from '../../cli/render/text.ts';
import { splitUnit } from '../../processors/csv_chart/model.ts';
import { detectDelimiter } from '../../processors/csv_profile/table.ts';
import type { Job } from '../../processors/sdk/job.ts';
import { scrubOf as sdkScrubOf } from '../../processors/sdk/reports.ts';
import { tailOf } from '../../services/dispatcher/outcome.ts';
import { refusedUpload } from '../../services/gateway/decide.ts';
import { traceOf } from '../../services/gateway/defect.ts';
import { parseTarget } from '../../services/gateway/scratch-requests.ts';
import { jsonbText } from '../../shared/projection/tables.ts';
import { lastError } from '../../shared/runtime/reports.ts';
import { readJson } from '../../shared/schema/json-text.ts';
import { scrubberOf } from '../../shared/text/scrub.ts';
import { scrubCredentials } from '../../shared/text/scrub-credentials.ts';
import { planOfFact } from '../../shared/wire/facts.ts';
import { suite } from '../harness/suite.ts';

const test = suite('searches over text that others wrote');

const MIB = 1024 * 1024;

/** What any of the patterns below begins with, repeats or ends in. */
const PIECES = [
  ...[
    'a',
    '1',
    ' ',
    '\n',
    '\r',
    '\t',
    '"',
    "'",
    '\\',
    '\\\\',
    '/',
    ';',
    '.',
    ',',
    '%',
    '+',
    '-',
    '_',
    '[',
    '{',
    '(',
    '\0',
    'é',
    '😀',
  ],
  ...['%26', '%2526', '\\u0000', '\\u003d', '\\"', '\x1b[', '\x1b]8;;', '":', '{"isomorph"', '{"isomorph":"error"}\n'],
  ...['?signature=', '&x-amz-signature', '%26signature%3d', ';signature=;', '?signature=%26', 'signature', '\\u0026'],
  ...['isoscratch_', 'isoscratch_a.', 'isoscratch_isoscratch_', 'isoscratch_.', '.isoscratch_a'],
  ...['http://', 'https://a', 'http:', 'http://[', '    at a\n', 'a (', ' [a', 'facts.', 'a;b'],
  ...['aaaaaaab', 'aaaaaaaab'.repeat(9), '61', '6161 ', 'YWFh', 'YWFhYWFhYWE=\n', '%61', '%2561'],
];

const repeated = (piece: string, bytes = MIB): string => piece.repeat(Math.ceil(bytes / piece.length));

const JOB = {
  inputs: { a: { get_url: 'http://host/a?signature=aaaa' } },
  outputs: {},
  scratch: { url: 'http://host/', token: 'isoscratch_a.a' },
} as unknown as Job;

const UPLOAD = { contentType: 'text/plain', maxBytes: 1 };
const secrets = scrubberOf({
  ONE: 'aaaaaaab',
  TWO: 'aaaaaaaa',
  THREE: `${'a'.repeat(99)}b`,
  FOUR: 'isoscratch_isoscratch_',
});

const SEARCHES: Readonly<Record<string, (text: string) => unknown>> = {
  'signatures and tokens': scrubCredentials,
  'what the SDK takes out of its reports': sdkScrubOf(JOB, new Set(['aaaaaaab'])),
  'the last error report of a log': lastError,
  'the tail of a log': tailOf,
  'a JSON document': (text) => [readJson(text), readJson(JSON.stringify([text, { [text]: text }]))],
  'a JSON number': (text) => readJson(`[1${text.replaceAll(/[^0-9.+-]/g, '')}]`),
  'text for jsonb': jsonbText,
  'a line for a terminal': plain,
  'lines for a terminal': plainLines,
  'a target of the gateway': (text) => parseTarget(`/scratch/v1/${text}`),
  'a content type': (text) => refusedUpload({ contentType: `text/plain${text}a`, contentLength: undefined }, UPLOAD),
  'a defect': (text) => traceOf(Object.assign(new Error(text), { code: text })),
  'a subject of facts': planOfFact,
  'the header of a table': detectDelimiter,
  'the name of a column': (text) => splitUnit(`a${text}(`),
};

for (const [name, search] of Object.entries(SEARCHES)) {
  test(`${name}: a megabyte of any repeat, and then what does not fit`, () => {
    for (const piece of PIECES) search(`${repeated(piece)}!`);
  });
}

test('values of secrets: a megabyte of what they are made of', () => {
  for (const piece of ['a', 'aaaaaaab', '%61', '\\u0061', '6161', '61 ', 'YWFh', 'isoscratch_', '\\\\', '%25']) {
    const clean = secrets.text(repeated(piece), { mayBeCut: true });
    assert.not(clean.includes('aaaaaaaa') || clean.includes('aaaaaaab'), piece);
  }
});

test('no value overflows: 32 MiB of one signature, one token, one string', () => {
  const long = 'a'.repeat(32 * MIB);
  assert.is(scrubCredentials(`?signature=${long}&b`), '?signature=REDACTED&b');
  assert.is(scrubCredentials(`isoscratch_${long}.${long} b`), 'isoscratch_REDACTED b');
  assert.ok(readJson(`{"a":"${'\\"'.repeat(16 * MIB)}"}`).ok);
  assert.is(jsonbText(`"${'\\\\'.repeat(MIB)}\\u0000"`).at(-2), '\ufffd');
});

test.run();
