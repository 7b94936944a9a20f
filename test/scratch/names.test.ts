import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { keyedName, tellerOf } from '../../shared/scratch/names.ts';
import { runCli } from '../cli/run-cli.ts';
import { suite } from '../harness/suite.ts';

const test = suite('how audit facts tell names');

const secret = randomBytes(32);

test('a name is told as it is when it is among those that may be, else as a hash of this plan alone', () => {
  const tell = tellerOf({ planId: 'p', secret, clear: ['open'] });
  assert.is(tell('open'), 'open');
  assert.match(tell('card 4711'), /^hmac-sha256:[0-9a-f]{64}$/);
  assert.is(tell('card 4711'), keyedName('p', 'card 4711', secret));
  const others = [keyedName('q', 'card 4711', secret), keyedName('p', 'card 4712', secret)];
  for (const other of [...others, keyedName('p', 'card 4711', randomBytes(32))])
    assert.is.not(tell('card 4711'), other);
  assert.is(tellerOf({ planId: 'p', secret, clear: 'all' })('card 4711'), 'card 4711');
  assert.is(tellerOf({ planId: 'p', secret })('open'), keyedName('p', 'open', secret));
});

test('an owner finds a name that he knows, with the command and with openssl as docs/secrets.md says', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'isomorph-names-'));
  try {
    writeFileSync(path.join(folder, 'gateway.key'), secret);
    const page = readFileSync(new URL('../../docs/secrets.md', import.meta.url), 'utf8');
    const script = /```sh\n(hmac\(\)[\s\S]*?)```/.exec(page)?.[1] ?? '';
    const printed = execFileSync('sh', ['-c', script], { cwd: folder, encoding: 'utf8' }).trim();
    const hash = keyedName('iris-001', 'jobs/done', secret);
    assert.is(`hmac-sha256:${printed}`, hash);
    const told = await runCli(['ledger', 'hash', 'iris-001', 'jobs/done', '--key', 'gateway.key'], { cwd: folder });
    assert.is(told.stdout, `${hash}  jobs/done\n`, told.stderr);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('without the key the command says what it lacks', async () => {
  for (const [args, words] of [
    [[], /ERR_CONFIG[\s\S]*--key <file>/],
    [['--key', '/nowhere'], /ERR_CONFIG[\s\S]*\/nowhere/],
  ] as const) {
    const told = await runCli(['ledger', 'hash', 'iris-001', 'jobs', ...args]);
    assert.is(told.code, 1, told.stderr);
    assert.match(told.stderr, words);
  }
});

test.run();
