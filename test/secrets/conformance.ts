import { inspect } from 'node:util';
import { pino } from 'pino';
import * as assert from 'uvu/assert';
import type { ErrorCode } from '../../shared/errors/codes.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { openSecrets } from '../../shared/secrets/open.ts';
import { resolveSecrets } from '../../shared/secrets/resolve.ts';
import type { SecretResolver } from '../../shared/secrets/secrets.ts';
import { suite } from '../harness/suite.ts';

/** Where the secrets of one suite are. */
export interface Place {
  /** As `SECRETS_URL`. */
  readonly url: string;
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export interface SecretsUnderTest {
  readonly name: string;
  /** Reason to leave the suite out. */
  readonly missing?: string | undefined;
  /** Values stay with the provider. */
  readonly opaque?: boolean;
  /** A place that holds exactly these. */
  place(secrets: Readonly<Record<string, string>>): Promise<Place>;
}

/** What people keep as secrets, in the shapes that break naive code. */
export const SECRETS: Readonly<Record<string, string>> = {
  PLAIN: 'correct-horse-battery-staple',
  BASE64: 'q83vEjRWeJA+/w==',
  SPACES: '  two words and an end ',
  QUOTES: `it's "quoted"`,
  DOLLARS: '$HOME $(id) `id` #5 100%',
  EQUALS: 'user=app;password=a=b',
  UNICODE: 'pässwörd-€-😀',
  LINES: '-----BEGIN KEY-----\nMIIEvQIBADANBgkq\n-----END KEY-----\n',
  JSON: '{"username":"app","password":"hunter2-hunter2"}',
  LONG: 'x1'.repeat(2_000),
};

const NAMES = Object.keys(SECRETS);

/** Everything that somebody could print of a thing by accident. */
export function printed(thing: unknown): string {
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  log.info({ thing, err: thing }, `a thing: ${String(thing)}`);
  const inspected = inspect(thing, { depth: null, showHidden: true, getters: true });
  return [inspected, JSON.stringify(thing), String(thing), ...lines].join('\n');
}

/** No value, raw or as JSON and `inspect` write it. */
export function assertSilent(thing: unknown, values: readonly string[] = Object.values(SECRETS)): void {
  const text = printed(thing);
  for (const value of values) {
    for (const form of [value, value.trim(), JSON.stringify(value).slice(1, -1)]) {
      assert.not.ok(text.includes(form), `a value was printed: ${text}`);
    }
  }
}

/** Fails with a code, names the secret, and shows no value. */
export async function assertRefused(answer: Promise<unknown>, code: ErrorCode, name: string): Promise<void> {
  const error = await answer.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof IsomorphError)) throw new Error(`no refusal: ${inspect(error)}`);
  assert.is(error.code, code, error.message);
  assert.match(error.message, name);
  assertSilent(error);
}

/** What every driver must do (shared/secrets/secrets.ts). */
export function secretsConformance({ name, missing, opaque = false, place }: SecretsUnderTest): void {
  const test = suite(`secrets ${name}`);
  test.skipUnless(missing === undefined, missing ?? '');
  let its: Place;
  let resolver: SecretResolver;
  test.before(async () => {
    its = await place(SECRETS);
    resolver = await openSecrets(its.url, its.env);
  });
  test.after(async () => {
    await resolver.close();
    await its.stop();
  });

  test('each secret is given by its name, exactly', async () => {
    for (const [secret, value] of Object.entries(SECRETS)) {
      const grant = await resolver.get(secret);
      assert.is(grant.name, secret);
      if (opaque) assert.equal([grant.kind, 'reveal' in grant], ['handle', false]);
      else assert.is(grant.kind === 'value' && grant.reveal(), value);
    }
  });

  test('what is not there is refused by name, whatever the name', async () => {
    for (const absent of ['NOT_THERE', 'toString', '__proto__', 'constructor', 'PLAINER']) {
      await assertRefused(resolver.get(absent), 'ERR_MISSING_SECRET', absent);
    }
  });

  test('whether a secret is there is told without its value', async () => {
    assert.equal(
      await Promise.all(NAMES.map((one) => resolver.has(one))),
      NAMES.map(() => true),
    );
    assert.equal(await Promise.all(['NOT_THERE', 'toString'].map((one) => resolver.has(one))), [false, false]);
  });

  test('nothing that a resolver gives shows a value when it is printed', async () => {
    assertSilent(resolver);
    for (const one of NAMES) assertSilent(await resolver.get(one));
    assertSilent(await resolveSecrets(resolver, NAMES, 'modal'));
  });

  test('an execution gets its secrets as an environment, or as handles that only their runtime takes', async () => {
    if (opaque) {
      const { values, handles } = await resolveSecrets(resolver, NAMES, 'modal');
      assert.equal([Object.keys(values), handles.map((handle) => handle.name)], [[], NAMES]);
      for (const adapter of ['mock', 'local'] as const) {
        await assertRefused(resolveSecrets(resolver, ['PLAIN'], adapter), 'ERR_CAPABILITY', 'PLAIN');
      }
      return;
    }
    for (const adapter of ['mock', 'local', 'modal'] as const) {
      const { values, handles } = await resolveSecrets(resolver, NAMES, adapter);
      assert.equal([{ ...values }, handles], [SECRETS, []]);
    }
  });

  test('one secret that is missing refuses all, by its name', async () => {
    await assertRefused(
      resolveSecrets(resolver, ['PLAIN', 'NOT_THERE', 'LONG'], 'modal'),
      'ERR_MISSING_SECRET',
      'NOT_THERE',
    );
  });

  test('many are resolved at once; closing twice does nothing', async () => {
    const grants = await Promise.all(Array.from({ length: 40 }, () => resolver.get('PLAIN')));
    assert.is(new Set(grants.map((grant) => grant.name)).size, 1);
    const other = await openSecrets(its.url, its.env);
    await other.close();
    await other.close();
  });

  test.run();
}
