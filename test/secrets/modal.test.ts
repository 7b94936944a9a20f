import { ModalClient } from 'modal';
import * as assert from 'uvu/assert';
import { modalSecrets } from '../../shared/secrets/drivers/modal/modal.ts';
import { ControlPlane } from '../harness/modal/control-plane.ts';
import { suite } from '../harness/suite.ts';
import { assertRefused, SECRETS, secretsConformance } from './conformance.ts';

const ENVIRONMENT = 'isomorph-test';
const OVERWRITE = 3;

/** The SDK in this process goes to a control plane of its own, as it would with a token. */
async function planeWith(secrets: Readonly<Record<string, Readonly<Record<string, string>>>>): Promise<ControlPlane> {
  const plane = new ControlPlane();
  await plane.start();
  Object.assign(process.env, plane.environment);
  const client = new ModalClient();
  for (const [deploymentName, envDict] of Object.entries(secrets)) {
    const where = { deploymentName, environmentName: ENVIRONMENT, objectCreationType: OVERWRITE };
    await client.cpClient.secretGetOrCreate({ ...where, envDict });
  }
  client.close();
  return plane;
}

secretsConformance({
  name: 'modal',
  opaque: true,
  async place(secrets) {
    const objects = Object.entries(secrets).map(([name, value]) => [name, { [name]: value }] as const);
    const plane = await planeWith(Object.fromEntries(objects));
    return { url: `modal:${ENVIRONMENT}`, env: {}, stop: () => plane.stop() };
  },
});

const test = suite('secrets of modal');

test('a handle says where the secret is, and nothing of what it is', async () => {
  const plane = await planeWith({ PLAIN: { PLAIN: String(SECRETS.PLAIN) }, OTHER: { KEY: 'x' } });
  const resolver = modalSecrets(`modal:${ENVIRONMENT}`);
  const handle = { kind: 'handle', name: 'PLAIN', provider: 'modal', environment: ENVIRONMENT };
  assert.equal(await resolver.get('PLAIN'), handle);
  assert.is(resolver.injectedBy, 'modal');
  // A Modal secret without the key would leave the variable unset.
  await assertRefused(resolver.get('OTHER'), 'ERR_MISSING_SECRET', 'OTHER');
  const elsewhere = modalSecrets('modal:');
  await assertRefused(elsewhere.get('PLAIN'), 'ERR_MISSING_SECRET', 'PLAIN');
  await Promise.all([resolver.close(), elsewhere.close()]);
  await plane.stop();
});

test('a token that is not known, and a Modal that does not answer, are told by code and name', async () => {
  const plane = await planeWith({ PLAIN: { PLAIN: String(SECRETS.PLAIN) } });
  process.env.MODAL_TOKEN_SECRET = 'as-another';
  const stranger = modalSecrets(`modal:${ENVIRONMENT}`);
  await assertRefused(stranger.get('PLAIN'), 'ERR_CONFIG', 'PLAIN');
  assert.is(await stranger.has('PLAIN'), undefined);
  await stranger.close();
  Object.assign(process.env, plane.environment);
  const silent = {
    secrets: { fromName: () => Promise.reject(Object.assign(new Error('UNAVAILABLE: gone'), { code: 14 })) },
    close: () => undefined,
  };
  const cut = modalSecrets(`modal:${ENVIRONMENT}`, async () => silent);
  await assertRefused(cut.get('PLAIN'), 'ERR_UNAVAILABLE', 'PLAIN');
  assert.is(await cut.has('PLAIN'), undefined);
  await plane.stop();
});

test('a name that Modal cannot have is missing; a URL that is not usable is refused', async () => {
  const resolver = modalSecrets('modal:');
  const name = 'N'.repeat(65);
  await assertRefused(resolver.get(name), 'ERR_MISSING_SECRET', name);
  for (const url of ['modal:a b', 'modal://host', 'modal:-x']) {
    assert.throws(() => modalSecrets(url), /no usable modal: URL/);
  }
});

test.run();
