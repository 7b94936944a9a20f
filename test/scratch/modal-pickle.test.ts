/** Python programs find our keys and read our values: the bytes are those of CPython. */
import { execFile, execFileSync } from 'node:child_process';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { pickleText, unpickleText } from '../../shared/providers/modal/pickle.ts';
import { suite } from '../harness/suite.ts';
import { refused } from './conformance.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

// All that is awaited comes before the first suite: uvu starts with what was registered by then.
const hasPython = await new Promise<boolean>((resolve) => {
  execFile('python3', ['--version'], (error) => resolve(error === null));
});

const test = suite('modal pickle');

test('keys are what CPython writes', () => {
  // From `pickle.dumps(text, protocol=4).hex()` of CPython 3.11.
  const golden: Readonly<Record<string, string>> = {
    '': '80049504000000000000008c00942e',
    a: '80049505000000000000008c0161942e',
    'k:é': '80049508000000000000008c046b3ac3a9942e',
  };
  for (const [text, pickle] of Object.entries(golden)) assert.is(hex(pickleText(text)), pickle);
});

test('any text comes back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), (text) => {
      assert.is(unpickleText(pickleText(text)), text);
    }),
    { numRuns: 300 },
  );
});

test('what is no pickled text is refused', async () => {
  for (const pickle of ['', '80044b052e', '8004950500', '80049505000000000000008c0961942e', '80045d942e']) {
    const read = async () => unpickleText(Buffer.from(pickle, 'hex'));
    await refused(read(), 'ERR_INTERNAL', pickle);
  }
});

test.run();

const python = suite('modal pickle: CPython');
python.skipUnless(hasPython, 'python3 is not installed');

const ask = (program: string, input: unknown): unknown =>
  JSON.parse(
    execFileSync('python3', ['-c', `import json,pickle,sys\nd=json.load(sys.stdin)\n${program}`], {
      input: JSON.stringify(input),
      maxBuffer: 64 * 1024 * 1024,
    }).toString(),
  );

const TEXTS = ['', 'k', 'k:ключ 🔑', 'x'.repeat(255), 'x'.repeat(256), 'é'.repeat(512), '"\\\n\u0000'];
const LONG = 'long '.repeat(40_000);

python('CPython writes the same keys', () => {
  const theirs = ask('print(json.dumps([pickle.dumps(t,protocol=4).hex() for t in d]))', TEXTS);
  assert.equal(
    TEXTS.map((text) => hex(pickleText(text))),
    theirs,
  );
});

python('CPython reads our values', () => {
  const ours = [...TEXTS, LONG].map((text) => hex(pickleText(text)));
  assert.equal(ask('print(json.dumps([pickle.loads(bytes.fromhex(h)) for h in d]))', ours), [...TEXTS, LONG]);
});

python('we read what CPython writes, by any protocol from 2 on', () => {
  const program = 'print(json.dumps([pickle.dumps(t,protocol=p).hex() for t in d for p in (2,3,4,5)]))';
  const theirs = ask(program, [...TEXTS, LONG]) as string[];
  const read = theirs.map((pickle) => unpickleText(Buffer.from(pickle, 'hex')));
  assert.equal(
    read,
    [...TEXTS, LONG].flatMap((text) => [text, text, text, text]),
  );
});

python.run();
