import * as assert from 'uvu/assert';
import { openSecrets } from '../../shared/secrets/open.ts';
import { suite } from '../harness/suite.ts';
import { assertRefused, secretsConformance } from './conformance.ts';

const environmentOf = (secrets: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(secrets).map(([name, value]) => [`ISOMORPH_SECRET_${name}`, value]));

secretsConformance({
  name: 'env',
  place: async (secrets) => ({ url: 'env:', env: environmentOf(secrets), stop: async () => undefined }),
});

const test = suite('secrets from the environment');

test('variables of the service itself are out of reach', async () => {
  const resolver = await openSecrets('env:', { DATABASE_URL: 'postgres://u:secret@h/d' });
  assert.is(await resolver.has('DATABASE_URL'), false);
  await assertRefused(resolver.get('DATABASE_URL'), 'ERR_MISSING_SECRET', 'DATABASE_URL');
});

test('an empty value is none; one that no process can have is refused without repeating it', async () => {
  const resolver = await openSecrets('env:', environmentOf({ EMPTY: '', BROKEN: 'correct-horse-battery-staple\0' }));
  assert.is(await resolver.has('EMPTY'), false);
  for (const name of ['EMPTY', 'BROKEN']) await assertRefused(resolver.get(name), 'ERR_MISSING_SECRET', name);
});

test('a URL of an unknown kind is refused without repeating it', async () => {
  for (const url of ['vault://user:correct-horse-battery-staple@host', 'nothing', '']) {
    await assertRefused(openSecrets(url, {}), 'ERR_CONFIG', 'no secrets backend');
  }
});

test.run();
