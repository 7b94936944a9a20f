import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { openSecrets } from '../../shared/secrets/open.ts';
import { suite } from '../harness/suite.ts';
import { assertRefused, secretsConformance } from './conformance.ts';

/** In the quotes that leave what is between them alone and are not in the value. */
function line([name, value]: readonly [string, string]): string {
  const quote = ["'", '`'].find((one) => !value.includes(one));
  if (quote === undefined) throw new Error(`${name} cannot be quoted`);
  return `${name}=${quote}${value}${quote}\n`;
}

secretsConformance({
  name: 'dotenv',
  async place(secrets) {
    const folder = await mkdtemp(path.join(tmpdir(), 'isomorph-secrets-'));
    const file = path.join(folder, 'secrets.env');
    await writeFile(file, `# a comment\n${Object.entries(secrets).map(line).join('')}EMPTY=\n`, { mode: 0o600 });
    return { url: `dotenv:${file}`, env: {}, stop: () => rm(folder, { recursive: true, force: true }) };
  },
});

const test = suite('secrets from a file');

test('a file that does not exist holds none', async () => {
  const resolver = await openSecrets(`dotenv:${path.join(tmpdir(), 'isomorph-no-such-file.env')}`, {});
  assert.is(await resolver.has('PLAIN'), false);
  await assertRefused(resolver.get('PLAIN'), 'ERR_MISSING_SECRET', 'PLAIN');
});

test('a file that cannot be read is a fault of the configuration', async () => {
  await assertRefused(openSecrets(`dotenv:${tmpdir()}`, {}), 'ERR_CONFIG', 'secrets file');
});

/** What `util.parseEnv` of Node reads otherwise; the day it does not, `dotenv` can go (docs/dependencies.md). */
test('a file may hold what editors and people put into it', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'isomorph-secrets-'));
  const file = path.join(folder, 'secrets.env');
  try {
    const lines = ['\uFEFFFIRST=1', 'no pair', '=none', 'AFTER=2', 'export  SPACED=3', 'QUOTED="a\\"b"', 'COLON: 4'];
    await writeFile(file, lines.join('\n'));
    const resolver = await openSecrets(`dotenv:${file}`, {});
    const given = await Promise.all(
      ['FIRST', 'AFTER', 'SPACED', 'QUOTED', 'COLON'].map(async (name) => {
        const grant = await resolver.get(name);
        return grant.kind === 'value' ? grant.reveal() : '';
      }),
    );
    assert.equal(given, ['1', '2', '3', 'a\\"b', '4']);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test.run();
