/** The live smoke, against the control plane: what a person with a token would see. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { ControlPlane } from '../harness/modal/control-plane.ts';
import { suite } from '../harness/suite.ts';

const test = suite('smoke:modal');
const MAIN = fileURLToPath(new URL('../../tools/smoke-modal.ts', import.meta.url));
const plane = new ControlPlane();

test.before(() => plane.start());
test.after(() => plane.close());

async function smoke(env: Readonly<Record<string, string>>): Promise<{ code: unknown; said: string }> {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), MAIN], {
    env: { PATH, HOME, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const said = await text(child.stdout);
  const [code] = await exited;
  return { code, said };
}

test('without a token it says so, and asks Modal nothing', async () => {
  const { code, said } = await smoke({
    MODAL_SERVER_URL: plane.environment.MODAL_SERVER_URL ?? '',
    MODAL_CONFIG_PATH: '/dev/null',
  });
  assert.is(code, 2);
  assert.match(said, /MODAL_TOKEN_ID and MODAL_TOKEN_SECRET/);
  assert.is(plane.calls.size, 0);
});

test('with one it uses KV, a queue and sandboxes, and leaves nothing', async () => {
  plane.world.images.registry.set('alpine:3.20', {
    env: { PATH: '/usr/bin:/bin' },
    workdir: '/',
    entrypoint: [],
    translate: (command) => command,
  });
  const { code, said } = await smoke({ ...plane.environment, ISOMORPH_SMOKE_GPU: 'T4' });
  assert.is(code, 0, said);
  for (const step of ['kv', 'queue', 'sandbox', 'sandbox with GPU'])
    assert.match(said, new RegExp(`^ok +${step}: `, 'm'));
  assert.is(plane.world.sandboxes.all.length, 2);
  for (const { result } of plane.world.sandboxes.all) assert.ok(result !== undefined);
});

test('what fails is told with its name, by exit code 1', async () => {
  plane.world.images.registry.clear();
  plane.faults.atRandom({ methods: ['DictUpdate'], rate: 1, seed: 1 });
  const { code, said } = await smoke({ ...plane.environment });
  assert.is(code, 1);
  assert.match(said, /^FAIL +kv: /m);
});

test.run();
