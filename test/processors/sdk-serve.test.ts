/** What a worker says of itself, and what it takes out of what it says. */
import * as assert from 'uvu/assert';
import { announcement } from '../../processors/sdk/announce.ts';
import { serveProcessors } from '../../processors/sdk/index.ts';
import type { Job } from '../../processors/sdk/job.ts';
import { reportLine, scrubOf } from '../../processors/sdk/reports.ts';
import { servingOf } from '../../processors/sdk/serve-options.ts';
import { parseAnnouncement } from '../../shared/wire/workers.ts';
import { suite } from '../harness/suite.ts';

const test = suite('sdk: serveProcessors');

const DIGEST = `blake3:${'ab'.repeat(32)}`;

test('what no dispatcher would take is refused before anything is connected', async () => {
  for (const [refs, options, message] of [
    [[], {}, 'no processors: expected at least one, as ns/name@1'],
    [['my/count'], {}, 'processor "my/count": expected ns/name@1'],
    [['my/count@1'], { name: 'my worker' }, 'name "my worker": expected 1 to 64 of A-Z a-z 0-9 _ -'],
    [['my/count@1'], { version: '1.0 beta' }, 'version "1.0 beta": expected 1 to 64 of A-Z a-z 0-9 . + -'],
    [['my/count@1'], { digest: 'abc' }, 'digest "abc": expected sha256: or blake3: and 64 hex digits'],
    [['my/count@1'], { slots: 0 }, 'slots 0: expected 1 to 9999'],
    [['my/count@1'], { slots: 1.5 }, 'slots 1.5: expected 1 to 9999'],
    [['my/count@1'], { nats: 'nowhere' }, 'nats: expected nats://user:password@host:port'],
    [
      Array.from({ length: 10_000 }, (_, number) => `my/count@${(number % 9_999) + 1}`),
      {},
      'too many processors: expected names of 60000 characters in all',
    ],
  ] as const) {
    const functions = Object.fromEntries(refs.map((ref) => [ref, async () => undefined]));
    const refused = await serveProcessors(functions, { nats: 'nats://nobody:secret@127.0.0.1:1', ...options }).then(
      () => undefined,
      (error: Error) => [error.name, error.message],
    );
    assert.equal(refused, ['TypeError', message]);
  }
});

test('what is taken is what dispatchers read', () => {
  for (const options of [
    {},
    { name: 'N'.repeat(64), version: `1.0.0+${'b'.repeat(58)}`, digest: DIGEST, slots: 9_999 },
    { name: '_-', version: '-', slots: 1 },
  ]) {
    const serving = servingOf([`${'n'.repeat(32)}/${'p'.repeat(32)}@9999`, '0/0@1'], { nats: '', ...options });
    const told = announcement({ ...serving.identity, id: 'ab'.repeat(12) }, serving);
    const parsed = parseAnnouncement(told);
    assert.ok(parsed.ok, JSON.stringify(told));
  }
});

test('a secret is taken out of a text in the forms that programs print', () => {
  const key = '-----BEGIN KEY-----\nMIIEvQIBADAN+/BgkqhkiG9w0B\n-----END KEY-----\n';
  const scrub = scrubOf({ inputs: {}, outputs: {} } as unknown as Job, new Set(['tok"en $HOME ü?>', key, 'ab']));
  const bytes = Buffer.from('tok"en $HOME ü?>');
  for (const [text, clean] of [
    ['is tok"en $HOME ü?> here', 'is [secret] here'],
    [JSON.stringify({ token: 'tok"en $HOME ü?>' }), '{"token":"[secret]"}'],
    [`?token=${encodeURIComponent('tok"en $HOME ü?>')}&x=1`, '?token=[secret]&x=1'],
    [`hex ${bytes.toString('hex')}`, 'hex [secret]'],
    [`HEX ${bytes.toString('hex').toUpperCase()}`, 'HEX [secret]'],
    ['line MIIEvQIBADAN+/BgkqhkiG9w0B of it', 'line [secret] of it'],
    // Of a short one only itself is looked for.
    ['YWI= 6162', 'YWI= 6162'],
  ] as const) {
    assert.is(scrub(text), clean);
  }
  for (const before of ['', 'u', 'us', 'user:']) {
    for (const encoding of ['base64', 'base64url'] as const) {
      const text = Buffer.concat([Buffer.from(before), bytes]).toString(encoding);
      assert.match(scrub(text), /^.{0,7}\[secret\].{0,3}$/, `${encoding} behind "${before}"`);
    }
  }
});

test('the code of an error is a text too', () => {
  const scrub = scrubOf({ inputs: {}, outputs: {} } as unknown as Job, new Set(['hunter2-hunter2']));
  const line = reportLine({ isomorph: 'error', code: 'ERR_hunter2-hunter2', message: 'no' }, scrub);
  assert.equal(JSON.parse(line), { isomorph: 'error', code: 'ERR_[secret]', message: 'no' });
});

test.run();
