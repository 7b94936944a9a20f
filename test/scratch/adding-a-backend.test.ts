/** A third party has nothing but the page: its code, as it stands there, must pass the suite. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.ts';
import { readSummary } from '../harness/summary.ts';

const test = suite('adding a backend');

const ROOT = new URL('../../', import.meta.url);
const PAGE = new URL('docs/adding-a-backend.md', ROOT);
const SUITE_LINES = 6;

/** The code block of this name, its imports of the project made absolute. */
function block(page: string, name: string): string {
  const code = new RegExp(`^\`\`\`ts ${name}\\n([^]*?)^\`\`\`$`, 'm').exec(page)?.[1];
  if (code === undefined) throw new Error(`the page has no block "${name}"`);
  return code.replaceAll("'../../", `'${ROOT.href}`);
}

/** Runs the page's driver and suite; `change` alters the driver first. */
async function runPage(change = (driver: string): string => driver) {
  const page = await readFile(PAGE, 'utf8');
  const dir = await mkdtemp(join(tmpdir(), 'isomorph-backend-'));
  try {
    await writeFile(join(dir, 'package.json'), '{"type": "module"}');
    await writeFile(join(dir, 'driver.ts'), change(block(page, 'driver')));
    await writeFile(join(dir, 'trivial.test.ts'), block(page, 'suite'));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', import.meta.resolve('tsx'), join(dir, 'trivial.test.ts')],
      { cwd: fileURLToPath(ROOT), env: { ...process.env, NO_COLOR: '1' } },
    ).catch((error: { stdout: string }) => error);
    return readSummary(stdout, 0);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

test('the suite runs in six lines', async () => {
  const lines = block(await readFile(PAGE, 'utf8'), 'suite')
    .trim()
    .split('\n');
  assert.is(lines.length, SUITE_LINES);
});

test('the driver of the page passes the suite', async () => {
  const { passed, failed } = await runPage();
  assert.is(failed, 0);
  assert.ok(passed > 20, `${passed} cases passed`);
});

test('a driver that breaks the contract does not', async () => {
  const { failed } = await runPage((driver) => driver.replace('sum = addToDecimal(', 'sum = 1 + addToDecimal('));
  assert.ok(failed > 0);
});

test.run();
