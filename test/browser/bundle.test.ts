import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.ts';
import { bundleForBrowser, modulesUnder } from './bundle.ts';

const test = suite('bundle for a browser');

test('ledger and plan, and all they need, bundle for a browser without one import of Node or of native code', async () => {
  const files = [...(await modulesUnder('shared/ledger')), ...(await modulesUnder('shared/plan'))];
  const { modules, sources, missing } = await bundleForBrowser(files);
  assert.equal(missing, []);
  assert.equal(
    sources.filter((source) => /^node:|\.node$|@napi-rs|\bblake3-node\b|node_modules\/blake3\//.test(source)),
    [],
  );
  for (const file of files) assert.ok(modules.has(file.replace(/\.ts$/, '.js')), file);
});

test('what needs Node is refused with its name, or told', async () => {
  for (const [file, needs] of [
    ['shared/hash/blake3-node.ts', /node:module/],
    ['shared/hash/signature.ts', /node:crypto/],
  ] as const) {
    const refusal = await bundleForBrowser([file]).then(
      () => 'bundled',
      (thrown: Error) => thrown.message,
    );
    assert.match(refusal, needs);
  }
});

test.run();
