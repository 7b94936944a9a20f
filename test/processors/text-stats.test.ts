import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import type { TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { openObjectServer } from './object-server.ts';
import { file, jobFor, runWithStdin } from './run-processor.ts';
import { type Call, failuresOf, runExample, runRegistered, startRepositoryStack } from './run-registered.ts';

const test = suite('text/stats');
const REF = 'text/stats@1';
const PROGRAM = file('processors/text_stats/processor.py');

const python = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']);
test.skipUnless(python.status === 0, 'there is no python3 of version 3.9 or later');

const run = (text: Uint8Array | string, call: Call = {}) => runRegistered(REF, { ...call, inputs: { text } });

async function stats(text: Uint8Array | string, params: Record<string, unknown> = {}) {
  const { code, outputs, everything } = await run(text, { params });
  assert.is(code, 0, everything);
  return JSON.parse(outputs.get('stats.json')?.toString() ?? '');
}

const TEXT = "The penguin's egg — the EGG!\r\n\r\nGrüße, Gru\u0308ße: 3 Eier\rहिन्दी 'quoted' rock’n’roll 🐧";

test('it counts what a text is made of, and the same text gives the same bytes', async () => {
  const first = await run(TEXT);
  assert.is(first.code, 0, first.everything);
  const bytes = first.outputs.get('stats.json');
  assert.is(
    bytes?.toString(),
    `{"blank_lines":1,"bytes":${Buffer.byteLength(TEXT)},"characters":${[...TEXT].length},"cid":"blake3:${'ab'.repeat(32)}",` +
      '"distinct_words":9,"lines":4,"longest_line_characters":29,' +
      `"sha256":"${createHash('sha256').update(TEXT).digest('hex')}","top_words":[{"count":2,"word":"egg"},` +
      '{"count":2,"word":"grüsse"},{"count":2,"word":"the"},{"count":1,"word":"3"},{"count":1,"word":"eier"},' +
      `{"count":1,"word":"penguin's"},{"count":1,"word":"quoted"},{"count":1,"word":"rock'n'roll"},` +
      '{"count":1,"word":"हिन्दी"}],"words":12}',
  );
  assert.ok((await run(TEXT)).outputs.get('stats.json')?.equals(bytes ?? Buffer.alloc(0)));
  assert.equal(
    first.reports.map((report) => report.isomorph),
    ['progress', 'progress'],
  );
});

test('empty texts, marks of byte order and line ends', async () => {
  const empty = await stats('');
  assert.equal([empty.lines, empty.words, empty.characters, empty.top_words], [0, 0, 0, []]);
  const marked = await stats('\ufeffone\ntwo\n');
  assert.equal([marked.lines, marked.characters, marked.bytes], [2, 8, 11]);
  const unended = await stats('one\n\n  \nfour');
  assert.equal([unended.lines, unended.blank_lines], [4, 2]);
});

test('params choose the frequent words', async () => {
  const { top_words } = await stats('a bb bb ccc dddd dddd', { top: 2, min_length: 2 });
  assert.equal(top_words, [
    { count: 2, word: 'bb' },
    { count: 2, word: 'dddd' },
  ]);
  assert.equal((await stats('a b', { top: 0 })).top_words, []);
});

test('what is no UTF-8 is bad input, with the place', async () => {
  const bad = await run(Uint8Array.of(0x61, 0x62, 0xff));
  assert.is(bad.code, 65, bad.everything);
  assert.is(bad.error?.retryable, false);
  assert.match(bad.error?.message ?? '', /not UTF-8 at byte 2/);
});

test('a passing fault of the store is borne; one that lasts is exit 75; a refusal is told by its code', async () => {
  const borne = await run('hello', {
    prepare: (server) => {
      server.failNext('text', 503, 503);
      server.failNext('stats.json', 500);
    },
  });
  assert.is(borne.code, 0, borne.everything);
  const lasting = await run('hello', { prepare: (server) => server.failNext('text', 503, 503, 503) });
  assert.equal([lasting.code, lasting.error?.code, lasting.error?.retryable], [75, 'ERR_UNAVAILABLE', true]);
  const refused = await run('hello', { prepare: (server) => server.accept('stats.json', 'image/png', 100) });
  assert.equal([refused.code, refused.error?.code], [1, 'ERR_URL_REFUSED']);
  const short = await run('hello', { prepare: (server) => server.offer('text', 'hell') });
  assert.is(short.code, 75, short.everything);
});

test('an output is sent with its headers; an earlier try whose answer was lost counts as sent', async () => {
  const server = await openObjectServer();
  try {
    const outputs = { 'stats.json': { type: 'application/json' } };
    const job = jobFor(server, { inputs: { text: 'a' }, outputs, version: 2 });
    server.loseNextAnswer('stats.json', 503);
    const borne = await runWithStdin(PROGRAM, `${JSON.stringify(job)}\n`);
    assert.is(borne.code, 0, borne.everything);
    assert.is(JSON.parse(server.uploads.get('stats.json')?.body.toString() ?? '').words, 1);
    assert.is((await runWithStdin(PROGRAM, `${JSON.stringify(job)}\n`)).code, 1, 'written before');
  } finally {
    await server.close();
  }
});

test('a line may come before the job; what is no job is told without quoting it', async () => {
  const server = await openObjectServer();
  try {
    const outputs = { 'stats.json': { type: 'application/json' } };
    const job = jobFor(server, { inputs: { text: 'a' }, outputs });
    const late = await runWithStdin(PROGRAM, `\n\r\n${JSON.stringify({ ...job, later: 'field' })}\n`);
    assert.is(late.code, 0, late.everything);
    const url = job.inputs.text?.get_url ?? '';
    for (const line of [
      `{"v":1,"get_url":"${url}"`,
      JSON.stringify({ ...job, v: 3 }),
      `{"v":1,"inputs":"${url}"}`,
      '',
    ]) {
      const ended = await runWithStdin(PROGRAM, line === '' ? '' : `${line}\n`);
      assert.is(ended.code, 1, ended.everything);
      assert.ok(ended.error);
      assert.not.match(ended.everything, /sig=|http:/);
    }
  } finally {
    await server.close();
  }
});

let its: TestStack;
test.before(async () => {
  its = await startRepositoryStack();
});
test.after(() => its.stop());

test('the example plan runs on the mock adapter', async () => {
  const book = await readFile(file('README.md'));
  const { state, bytes } = await runExample(its, 'words', { '/artifacts/inputs/book.txt': book });
  assert.is(state.settled?.status, 'succeeded', failuresOf(state));
  const found = JSON.parse(Buffer.from(await bytes('stats/stats.json')).toString());
  assert.is(found.bytes, book.byteLength);
  assert.is(found.cid, state.executions.get('words.stats.1')?.started?.inputs.text?.cid);
});

test.run();
