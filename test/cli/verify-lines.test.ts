import * as assert from 'uvu/assert';
import { verifyLines } from '../../cli/verify-lines.ts';
import { canonicalText } from '../../shared/hash/canonical.ts';
import { hashEvent } from '../../shared/ledger/envelope.ts';
import type { LedgerEvent } from '../../shared/ledger/events.ts';
import type { Verdict } from '../../shared/ledger/verify.ts';
import { suite } from '../harness/suite.ts';
import { linesOf } from './chain-fixture.ts';

const test = suite('cli ledger verify');

const LINES = linesOf('p');

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

const verifyBytes = (bytes: Uint8Array, options = { open: false, head: undefined as string | undefined }) =>
  verifyLines(chunksOf(bytes, 1000), options);

const verifyText = (
  lines: readonly string[],
  options?: { open: boolean; head: string | undefined },
): Promise<Verdict> => verifyBytes(Buffer.from(lines.map((line) => `${line}\n`).join('')), options);

const placesOf = ({ findings }: Verdict): string[] => findings.map(({ place }) => place);

/** The export without some lines, and with others put in. */
const spliced = (at: number, remove: number, ...insert: string[]): string[] => {
  const lines = [...LINES];
  lines.splice(at, remove, ...insert);
  return lines;
};

const lineOf = (number: number): string => LINES[number - 1] ?? '';

test('an export as it was written verifies, with or without a last line feed', async () => {
  const whole = await verifyText(LINES);
  assert.equal(whole.findings, []);
  assert.is(whole.events, LINES.length);
  assert.is(whole.plans[0]?.complete, true);
  assert.equal((await verifyBytes(Buffer.from(LINES.join('\n')))).findings, []);
});

test('a changed byte is found at its line, wherever it is', async () => {
  const bytes = Buffer.from(LINES.map((line) => `${line}\n`).join(''));
  let line = 1;
  for (let at = 0; at < bytes.byteLength; at++) {
    const original = bytes[at] ?? 0;
    // Every position would take a minute; this stride meets every field of some event.
    if (at % 37 === 0 && original !== 0x0a) {
      bytes[at] = original ^ 0x01;
      const verdict = await verifyBytes(bytes);
      bytes[at] = original;
      assert.ok(placesOf(verdict).includes(`line ${line}`), `byte ${at} of line ${line}: ${placesOf(verdict)}`);
    }
    if (original === 0x0a) line += 1;
  }
});

test('a changed value whose event was hashed again breaks the link of the next line', async () => {
  const event = JSON.parse(lineOf(2)) as LedgerEvent & { data: { budget_limit_usd_micro: number } };
  const richer = { ...event, data: { ...event.data, budget_limit_usd_micro: 1_000_000 } };
  const forged = canonicalText({ ...richer, this_hash: hashEvent(richer as LedgerEvent) });
  assert.equal(placesOf(await verifyText(spliced(1, 1, forged))), ['line 3']);
});

test('a ledger made anew from end to end is told by its head alone', async () => {
  const [last] = LINES.slice(-1).map((line) => JSON.parse(line) as LedgerEvent);
  const head = last?.this_hash;
  assert.equal((await verifyText(LINES, { open: false, head })).findings, []);
  const other = await verifyText(linesOf('p2'), { open: false, head });
  assert.is(other.findings[0]?.expected, head);
});

test('a dropped event is found where it is missing', async () => {
  assert.equal(placesOf(await verifyText(spliced(0, 1))), ['line 1']);
  assert.equal(placesOf(await verifyText(spliced(6, 1))), ['line 7']);
  const cut = await verifyText(spliced(LINES.length - 1, 1));
  assert.equal(placesOf(cut), [`after line ${LINES.length - 1}`]);
  assert.is(cut.findings[0]?.code, 'ERR_CHAIN_BROKEN');
});

test('--open takes a chain that has not ended, and nothing else', async () => {
  assert.equal((await verifyText(LINES.slice(0, 8), { open: true, head: undefined })).findings, []);
  const without = [...LINES.slice(0, 4), ...LINES.slice(5, 8)];
  assert.equal(placesOf(await verifyText(without, { open: true, head: undefined })), ['line 5']);
});

test('swapped events are found from the first of them on', async () => {
  const swapped = await verifyText(spliced(4, 2, lineOf(6), lineOf(5)));
  assert.equal(placesOf(swapped), ['line 5', 'line 6', 'line 7']);
});

test('a duplicated event is found at its second place', async () => {
  assert.is(placesOf(await verifyText(spliced(4, 0, lineOf(4))))[0], 'line 5');
  assert.is(placesOf(await verifyText([...LINES, LINES.at(-1) ?? '']))[0], `line ${LINES.length + 1}`);
});

test('an event of another plan is found, with its own plan or under this one’s name', async () => {
  const foreign = linesOf('other')[4] ?? '';
  assert.ok(placesOf(await verifyText(spliced(4, 0, foreign))).includes('line 5'));
  const first = linesOf('other')[0] ?? '';
  assert.equal(placesOf(await verifyText(spliced(4, 0, first))), ['after line 5']);
  assert.is(placesOf(await verifyText(spliced(4, 1, foreign.replaceAll('other', 'p'))))[0], 'line 5');
});

test('an export of several plans verifies; a head can be given for one only', async () => {
  const both = [...LINES, ...linesOf('other')];
  assert.equal((await verifyText(both)).findings, []);
  try {
    await verifyText(both, { open: false, head: 'blake3:x' });
    assert.unreachable('a head for two plans was taken');
  } catch (error) {
    assert.is((error as { code?: string }).code, 'ERR_USAGE');
  }
});

test('what is no event is told line by line and does not hide the rest', async () => {
  const verdict = await verifyText(spliced(4, 0, '', '{"a":1}', 'no json', `${lineOf(5)} `));
  assert.equal(placesOf(verdict), ['line 5', 'line 6', 'line 7', 'line 8']);
  assert.is(verdict.events, LINES.length);
  assert.ok(verdict.findings.every(({ code }) => code === 'ERR_NOT_AN_EVENT'));
});

test('bytes that are no UTF-8, and CRLF, are no canonical events', async () => {
  const bytes = Buffer.from(LINES.map((line) => `${line}\n`).join(''));
  bytes[20] = 0xff;
  assert.is(placesOf(await verifyBytes(bytes))[0], 'line 1');
  const crlf = await verifyBytes(Buffer.from(LINES.map((line) => `${line}\r\n`).join('')));
  assert.is(crlf.findings.length, LINES.length);
});

test('nothing at all is a finding: an empty file proves nothing', async () => {
  assert.equal(placesOf(await verifyBytes(new Uint8Array())), ['the whole input']);
});

test.run();
