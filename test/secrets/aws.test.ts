import {
  CreateSecretCommand,
  DeleteSecretCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import * as assert from 'uvu/assert';
import { awsSecrets } from '../../shared/secrets/drivers/aws/aws.ts';
import { available, type RunningServer, startMoto } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { assertRefused, SECRETS, secretsConformance } from './conformance.ts';

// moto takes any; the SDK wants some.
process.env.AWS_ACCESS_KEY_ID ??= 'test';
process.env.AWS_SECRET_ACCESS_KEY ??= 'test';

const PREFIX = 'isomorph/test+1/';
const REGION = 'eu-central-1';

const found = await available('moto');
const missing = found.ok ? undefined : found.reason;

const urlAt = (endpoint: string): string =>
  `aws-secretsmanager://${REGION}?${new URLSearchParams({ endpoint, prefix: PREFIX })}`;

async function withClient(endpoint: string, act: (client: SecretsManagerClient) => Promise<unknown>): Promise<void> {
  const client = new SecretsManagerClient({ region: REGION, endpoint });
  await act(client);
  client.destroy();
}

secretsConformance({
  name: 'aws',
  missing,
  async place(secrets) {
    const moto = await startMoto();
    await withClient(moto.url, async (client) => {
      for (const [name, SecretString] of Object.entries(secrets)) {
        await client.send(new CreateSecretCommand({ Name: PREFIX + name, SecretString }));
      }
    });
    return { url: urlAt(moto.url), env: {}, stop: () => moto.stop() };
  },
});

const onMoto = suite('secrets of AWS, on moto');
onMoto.skipUnless(missing === undefined, missing ?? '');

let moto: RunningServer;
onMoto.before(async () => {
  moto = await startMoto();
});
onMoto.after(() => moto.stop());

onMoto('a new version is what the next execution gets', async () => {
  const resolver = awsSecrets(urlAt(moto.url));
  const read = async () => {
    const grant = await resolver.get('ROTATED');
    return grant.kind === 'value' ? grant.reveal() : '';
  };
  await withClient(moto.url, async (client) => {
    await client.send(new CreateSecretCommand({ Name: `${PREFIX}ROTATED`, SecretString: 'first-value' }));
    assert.is(await read(), 'first-value');
    await client.send(new PutSecretValueCommand({ SecretId: `${PREFIX}ROTATED`, SecretString: 'second-value' }));
    assert.is(await read(), 'second-value');
  });
  await resolver.close();
});

onMoto('bytes, and what is marked for deletion, cannot be had', async () => {
  const resolver = awsSecrets(urlAt(moto.url));
  await withClient(moto.url, async (client) => {
    const SecretBinary = Buffer.from(String(SECRETS.PLAIN));
    await client.send(new CreateSecretCommand({ Name: `${PREFIX}BYTES`, SecretBinary }));
    await client.send(new CreateSecretCommand({ Name: `${PREFIX}GOING`, SecretString: String(SECRETS.PLAIN) }));
    await client.send(new DeleteSecretCommand({ SecretId: `${PREFIX}GOING`, RecoveryWindowInDays: 7 }));
  });
  for (const name of ['BYTES', 'GOING']) await assertRefused(resolver.get(name), 'ERR_MISSING_SECRET', name);
  assert.is(await resolver.has('GOING'), false);
  await resolver.close();
});

onMoto.run();
