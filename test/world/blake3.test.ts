import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { blake3Hex, createBlake3 } from '../../shared/hash/blake3.ts';
import { engine as scriptEngine } from '../../shared/hash/blake3-browser.ts';
import { nativeEngine, wasmEngine } from '../../shared/hash/blake3-node.ts';
import { cidOf, isCid } from '../../shared/hash/cid.ts';
import { suite } from '../harness/suite.ts';

interface Vectors {
  readonly cases: readonly { readonly input_len: number; readonly hash: string }[];
}
const vectors = JSON.parse(readFileSync(new URL('./blake3-vectors.json', import.meta.url), 'utf8')) as Vectors;

const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index % 251);

const test = suite('blake3');

for (const engine of [nativeEngine(), wasmEngine(), scriptEngine]) {
  test(`${engine.name}: the official vectors hold in one shot and in pieces of every awkward size`, () => {
    assert.is(vectors.cases.length, 35);
    for (const { input_len, hash } of vectors.cases) {
      const input = pattern(input_len);
      assert.is(engine.hex(input), hash, `one shot, ${input_len} bytes`);
      for (const piece of [63, 1024, 4097]) {
        const stream = engine.create();
        for (let at = 0; at < input.length; at += piece) stream.update(input.subarray(at, at + piece));
        assert.is(stream.digestHex(), hash, `${input_len} bytes in pieces of ${piece}`);
      }
    }
  });

  test(`${engine.name}: a string hashes as its UTF-8 bytes`, () => {
    for (const text of ['', 'plan', 'é', '漢字 🚀', 'x'.repeat(70_000)]) {
      assert.is(engine.hex(text), engine.hex(new TextEncoder().encode(text)));
    }
  });
}

test('streams that are open at the same time, with one-shot calls between, do not disturb each other', () => {
  const first = createBlake3().update(pattern(1000));
  const second = createBlake3().update(pattern(2000));
  const between = blake3Hex(pattern(3));
  first.update(pattern(10));
  assert.is(second.digestHex(), blake3Hex(pattern(2000)));
  assert.is(first.digestHex(), blake3Hex(Buffer.concat([pattern(1000), pattern(10)])));
  assert.is(between, blake3Hex(pattern(3)));
});

test('a CID is what b3sum prints, with its prefix', () => {
  const printed = spawnSync('b3sum', ['--no-names'], { input: 'hello', encoding: 'utf8' });
  const expected =
    printed.status === 0 ? printed.stdout.trim() : 'ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f';
  assert.is(cidOf('hello'), `blake3:${expected}`);
});

test('only the one written form is a CID', () => {
  const cid = cidOf('');
  assert.ok(isCid(cid));
  for (const other of [
    cid.toUpperCase(),
    cid.slice(0, -1),
    `${cid}0`,
    `${cid}\n`,
    cid.slice(7),
    'sha256:00',
    7,
    null,
  ]) {
    assert.not.ok(isCid(other), String(other));
  }
});

test.run();
