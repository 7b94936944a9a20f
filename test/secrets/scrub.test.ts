import { inspect } from 'node:util';
import * as assert from 'uvu/assert';
import { tailOf } from '../../services/dispatcher/outcome.ts';
import { scrubbed, scrubbedError, scrubOf, WITHHOLDING } from '../../services/dispatcher/scrub.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { RunResult } from '../../shared/runtime/runtime.ts';
import { suite } from '../harness/suite.ts';

const test = suite('what is told of a run');

const TOKEN = 'correct-horse-battery-staple';
const known = scrubOf({ values: { TOKEN }, handles: [] });

const result = (log: string, message: string, code = 'ERR_EXIT'): RunResult => ({
  outcome: { kind: 'not_started', reason: `no ${TOKEN}` },
  durationMs: 1,
  log: Buffer.from(log),
  error: { isomorph: 'error', code, message },
});

test('values are taken out of the log, the report and the reason; the rest stays', () => {
  const told = scrubbed(result(`a ${TOKEN} b\n`, `died of ${TOKEN}`, `E_${TOKEN}`), known);
  assert.is(told.text, 'a [secret TOKEN] b\n');
  assert.equal([told.error?.message, told.error?.code], ['died of [secret TOKEN]', 'E_[secret TOKEN]']);
  assert.equal(told.outcome, { kind: 'not_started', reason: 'no [secret TOKEN]' });
});

test('a value at the place where a message is clipped later leaves no piece of itself', () => {
  const told = scrubbed(result('', `${'x'.repeat(990)}${TOKEN}`), known);
  assert.is(told.error?.message, `${'x'.repeat(990)}[secret TOKEN]`);
});

test('signed URLs go too, also where a value looks like a part of one', () => {
  const url = 'http://host/x?X-Amz-Signature=0123456789abcdef&a=b';
  assert.not.match(known.said(url), '0123456789abcdef');
  const odd = scrubOf({ values: { ODD: 'k&signature=abcdef/ghijkl' }, handles: [] });
  assert.is(odd.said('k&signature=abcdef/ghijkl'), '[secret ODD]');
});

test('an execution with secrets that are not known here tells no words of its processor', () => {
  const handle = { kind: 'handle', name: 'TOKEN', provider: 'modal', environment: '' } as const;
  for (const scrub of [WITHHOLDING, scrubOf({ values: {}, handles: [handle] })]) {
    const told = scrubbed(result(`a ${TOKEN} b\n`, TOKEN, TOKEN), scrub);
    assert.match(told.text, /withheld/);
    assert.not.match(inspect([told.text, told.error]), TOKEN);
    assert.is(scrubbed(result('', ''), scrub).text, '');
  }
});

test('an error that is thrown with values in hand keeps its code, and neither cause nor value', () => {
  const cause = new Error(TOKEN);
  const ours = scrubbedError(new IsomorphError('ERR_START', `with ${TOKEN}`, {}, cause), known);
  assert.is(ours instanceof IsomorphError && ours.code, 'ERR_START');
  for (const error of [ours, scrubbedError(new TypeError(`Received '${TOKEN}'`), known), scrubbedError(TOKEN, known)]) {
    assert.not.match(inspect(error, { depth: null, showHidden: true }), TOKEN);
    assert.match(error.message, '[secret TOKEN]');
  }
});

test('a log may be cut off inside a value; a report is whole, and keeps what only looks like one', () => {
  const cut = TOKEN.slice(0, 16);
  const of = (log: string, message: string) => scrubbed(result(log, message), known);
  assert.not.match(of(`all went well ${cut}`, '').text, cut);
  assert.is(of('', `died of ${cut}`).error?.message, `died of ${cut}`);
});

test('what is withheld is told as withheld', () => {
  assert.is(WITHHOLDING.said('anything'), '[withheld]');
});

test('the place of an error that is no error of ours is kept, without the values in it', () => {
  const thrown = new TypeError(`Received '${TOKEN}'`);
  const told = scrubbedError(thrown, known);
  assert.is(told.stack, thrown.stack?.replaceAll(TOKEN, '[secret TOKEN]'));
  delete (thrown as Partial<Error>).stack;
  assert.type(scrubbedError(thrown, known).stack, 'string');
  assert.is(scrubbedError({ stack: TOKEN, toString: () => 'odd' }, known).message, 'odd');
});

test('a value that only comes together where a log is shown without control characters and reports is found', () => {
  const shownOf = (log: string) => tailOf(scrubbed(result(log, ''), known).text);
  const utf16 = Buffer.from(`the token is ${TOKEN}\n`, 'utf16le').toString('latin1');
  assert.is(shownOf(utf16), 'the token is [secret TOKEN]');
  const rung = [...TOKEN].join('\x07');
  assert.is(shownOf(`a ${rung} b\n`), 'a [secret TOKEN] b');
  const lines = scrubOf({ values: { LINES: 'ab1\ncd2\nef3' }, handles: [] });
  const report = '{"isomorph":"progress","fraction":0.5}';
  const told = scrubbed(result(`ab1\n${report}\ncd2\nef3\n`, ''), lines);
  assert.is(tailOf(told.text), '[secret LINES]');
});

test('a log in which nothing comes together is kept as it was written', () => {
  const log = `\x1b[31mred\x1b[0m ${TOKEN.slice(0, 3)}\n{"isomorph":"progress","fraction":0.5}\nlast\n`;
  assert.is(scrubbed(result(log, ''), known).text, log);
});

test.run();
