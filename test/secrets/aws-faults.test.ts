import * as assert from 'uvu/assert';
import { awsSecrets } from '../../shared/secrets/drivers/aws/aws.ts';
import type { SecretResolver } from '../../shared/secrets/secrets.ts';
import { suite } from '../harness/suite.ts';
import { assertRefused, SECRETS } from './conformance.ts';
import { type Answer, type FakeAws, given, refusal, startFakeAws } from './fake-aws.ts';

// The SDK wants some.
process.env.AWS_ACCESS_KEY_ID ??= 'test';
process.env.AWS_SECRET_ACCESS_KEY ??= 'test';

const VALUE = String(SECRETS.PLAIN);

const urlAt = (endpoint: string): string => `aws-secretsmanager://eu-central-1?${new URLSearchParams({ endpoint })}`;

const refused = (type: string, status?: number): Answer => refusal(type, status, VALUE);

/** The last answer is given again and again. */
async function onFaulty(
  answers: readonly Answer[],
  act: (resolver: SecretResolver, server: FakeAws) => Promise<void>,
  timeoutMs = 20_000,
): Promise<void> {
  const server = await startFakeAws(({ count }) => answers[Math.min(count, answers.length) - 1] ?? 'cut');
  const resolver = awsSecrets(urlAt(server.url), { timeoutMs });
  await act(resolver, server);
  await resolver.close();
  await server.stop();
}

const test = suite('secrets of AWS, faults');

test('what is throttled is tried again by the SDK', async () => {
  await onFaulty([refused('ThrottlingException'), given(VALUE)], async (resolver, server) => {
    const grant = await resolver.get('TOKEN');
    assert.equal([grant.kind === 'value' && grant.reveal(), server.calls.length], [VALUE, 2]);
  });
});

const FAULTS: readonly [what: string, answer: Answer, code: 'ERR_UNAVAILABLE' | 'ERR_CONFIG' | 'ERR_MISSING_SECRET'][] =
  [
    ['throttled for good', refused('ThrottlingException'), 'ERR_UNAVAILABLE'],
    ['a fault of the service', refused('InternalServiceError', 500), 'ERR_UNAVAILABLE'],
    ['a connection that is cut', 'cut', 'ERR_UNAVAILABLE'],
    ['access denied', refused('AccessDeniedException'), 'ERR_CONFIG'],
    ['a token that expired', refused('ExpiredTokenException'), 'ERR_CONFIG'],
    ['a key that cannot decrypt it', refused('DecryptionFailure'), 'ERR_CONFIG'],
    ['an endpoint that is something else', { status: 200, body: `<html>${VALUE}</html>` }, 'ERR_CONFIG'],
    ['an endpoint that knows no such path', { status: 404, body: `<html>${VALUE}</html>` }, 'ERR_CONFIG'],
    ['no such secret', refused('ResourceNotFoundException'), 'ERR_MISSING_SECRET'],
  ];

for (const [what, answer, code] of FAULTS) {
  test(`${what} is ${code} with the name and no value`, async () => {
    await onFaulty([answer], async (resolver) => {
      await assertRefused(resolver.get('TOKEN'), code, 'TOKEN');
      assert.is(await resolver.has('TOKEN'), code === 'ERR_MISSING_SECRET' ? false : undefined);
    });
  });
}

test('a server that says nothing is ERR_UNAVAILABLE after its time', async () => {
  await onFaulty(['silence'], (resolver) => assertRefused(resolver.get('TOKEN'), 'ERR_UNAVAILABLE', 'TOKEN'), 100);
});

test('URLs that are not usable are refused, and not repeated', () => {
  for (const url of [
    'aws-secretsmanager://',
    `aws-secretsmanager://key:${VALUE}@eu-central-1`,
    'aws-secretsmanager://eu-central-1/path',
    `aws-secretsmanager://eu-central-1?token=${VALUE}`,
    'aws-secretsmanager://eu-central-1?prefix=a%20b',
    `aws-secretsmanager://eu-central-1?endpoint=http://u:${VALUE}@host`,
    'aws-secretsmanager://eu-central-1?endpoint=ftp://host',
  ]) {
    try {
      awsSecrets(url);
    } catch (error) {
      assert.match(String(error), /the aws-secretsmanager URL/);
      assert.not.ok(String(error).includes(VALUE));
      continue;
    }
    throw new Error(`${url} was taken`);
  }
});

test.run();
