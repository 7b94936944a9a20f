import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { startGateway } from '../../services/gateway/artifact-server.ts';
import { parseRangeHeader } from '../../services/gateway/range.ts';
import { scrubCredentials } from '../../shared/text/scrub-credentials.ts';
import { openFileStore } from '../../shared/world/drivers/file/file.ts';
import { suite } from '../harness/suite.ts';
import { type FileStoreUnderTest, makeFileStore } from './file-store.ts';
import { bytesOf, putText, refusal } from './samples.ts';

const UPLOAD = { uploadId: 'p.s.1', worldPath: '/artifacts/o/x', contentType: 'text/csv', maxBytes: 10, ttlS: 60 };

const test = suite('artifact gateway');

async function withStore(run: (subject: FileStoreUnderTest) => Promise<void>): Promise<void> {
  const subject = await makeFileStore();
  try {
    await run(subject);
  } finally {
    await subject.dispose();
  }
}

/** A PUT whose body is sent to its end in chunks without a length, as a processor that streams does. */
function putChunks(url: string, chunks: readonly Uint8Array[], headers: Record<string, string> = {}) {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const outgoing = request(url, { method: 'PUT', headers: { 'content-type': 'text/csv', ...headers } });
    const sent = new Promise<void>((finished) => outgoing.on('finish', finished));
    outgoing.on('error', reject);
    outgoing.on('response', (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      answer.on('end', () => sent.then(() => resolve({ status: answer.statusCode ?? 0, body })));
    });
    for (const chunk of chunks) outgoing.write(chunk);
    outgoing.end();
  });
}

test('a refusal says its code and nothing else, whether or not the artifact exists', () =>
  withStore(async ({ store, gatewayUrl }) => {
    await putText(store, '/artifacts/a', 'x');
    for (const target of [
      '/artifacts/a',
      '/artifacts/none',
      '/',
      '/%zz',
      '//',
      '/artifacts/a?x-isomorph-signature=00',
    ]) {
      const answer = await fetch(gatewayUrl + target);
      assert.is(answer.status, 403, target);
      assert.is(await answer.text(), '{"code":"ERR_URL_REFUSED"}');
    }
  }));

test('every term of an upload is bound: changing one is refused', () =>
  withStore(async ({ store }) => {
    const { url } = await store.presignPut(UPLOAD);
    const changes: Record<string, string> = {
      'x-isomorph-max-bytes': '1000000',
      'x-isomorph-content-type': 'text/html',
      'x-isomorph-upload': 'p.s.2',
      'x-isomorph-expires': String(Math.ceil(Date.now() / 1000) + 1_000_000),
      'x-isomorph-signature': '0'.repeat(64),
    };
    for (const [name, value] of Object.entries(changes)) {
      const changed = new URL(url);
      assert.ok(changed.searchParams.has(name));
      changed.searchParams.set(name, value);
      assert.is(
        (await putChunks(changed.href, [bytesOf('x')], { 'content-type': changes['x-isomorph-content-type'] ?? '' }))
          .status,
        403,
      );
      assert.is((await putChunks(changed.href, [bytesOf('x')])).status, 403, name);
    }
    const moved = new URL(url);
    moved.pathname = '/artifacts/o/y';
    assert.is((await putChunks(moved.href, [bytesOf('x')])).status, 403, 'path');
    assert.is((await putChunks(url, [bytesOf('x')])).status, 200);
  }));

test('whose use a download is counted as is bound', () =>
  withStore(async ({ store }) => {
    await putText(store, '/artifacts/a', 'x');
    const url = new URL(await store.presign({ worldPath: '/artifacts/a', ttlS: 60, readerId: 'p.s.1' }));
    assert.is((await fetch(url)).status, 200);
    url.searchParams.set('x-isomorph-reader', 'p.s.2');
    assert.is((await fetch(url)).status, 403);
    url.searchParams.delete('x-isomorph-reader');
    assert.is((await fetch(url)).status, 403);
  }));

test('a URL ends at its expiry, by the clock of the gateway', () =>
  withStore(async ({ folder }) => {
    let nowMs = 1_800_000_000_000;
    const secret = randomBytes(32);
    const gateway = await startGateway({ store: { root: folder }, secret, nowMs: () => nowMs });
    try {
      const options = { gatewayUrl: gateway.url, gatewaySecret: secret, nowMs: () => nowMs };
      const store = await openFileStore(pathToFileURL(folder), options);
      await putText(store, '/artifacts/a', 'x');
      const url = await store.presign({ worldPath: '/artifacts/a', ttlS: 60 });
      nowMs += 59_999;
      assert.is((await fetch(url)).status, 200);
      nowMs += 1;
      assert.is((await fetch(url)).status, 403);
    } finally {
      await gateway.close();
    }
  }));

test('a body that streams past its limit gets 413 that the client can read, and leaves nothing', () =>
  withStore(async ({ store, folder }) => {
    const { url } = await store.presignPut(UPLOAD);
    const chunk = new Uint8Array(64 * 1024);
    const answer = await putChunks(
      url,
      Array.from({ length: 512 }, () => chunk),
    );
    assert.equal(answer, { status: 413, body: '{"code":"ERR_OUTPUT_TOO_LARGE"}' });
    assert.is(await store.statUpload(UPLOAD), undefined);
    assert.equal(await readdir(join(folder, '.isomorph', 'temporary')), []);
  }));

test('a client that waits for 100-continue is answered before it sends', () =>
  withStore(async ({ store }) => {
    const { url } = await store.presignPut(UPLOAD);
    const small = await putChunks(url, [bytesOf('small')], { expect: '100-continue' });
    assert.is(small.status, 200);
    const large = await putChunks(url, [], { expect: '100-continue', 'content-length': '11' }).catch(
      (error: Error) => error,
    );
    assert.ok(!(large instanceof Error) && large.status === 413);
    assert.equal(await store.statUpload(UPLOAD), { size: 5 });
  }));

test('an upload that is cut off is no upload', () =>
  withStore(async ({ store }) => {
    const { url } = await store.presignPut(UPLOAD);
    await new Promise<void>((resolve) => {
      const outgoing = request(url, { method: 'PUT', headers: { 'content-type': 'text/csv', 'content-length': '9' } });
      outgoing.on('error', () => resolve());
      outgoing.write('half', () => outgoing.destroy(new Error('cut')));
    });
    const next = { ...UPLOAD, uploadId: 'p.s.2' };
    assert.is((await putChunks((await store.presignPut(next)).url, [bytesOf('whole')])).status, 200);
    assert.is(await store.statUpload(UPLOAD), undefined);
  }));

test('content types that differ only in blanks and case are the same', () =>
  withStore(async ({ store }) => {
    const { url } = await store.presignPut({ ...UPLOAD, contentType: 'text/plain; charset=utf-8' });
    assert.is((await putChunks(url, [bytesOf('x')], { 'content-type': 'text/plain;charset=UTF-8' })).status, 200);
    assert.is((await putChunks(url, [bytesOf('x')], { 'content-type': 'text/plain' })).status, 403);
  }));

test('an artifact of HTML cannot run as a page of the gateway', () =>
  withStore(async ({ store }) => {
    await store.putBytes({ worldPath: '/artifacts/p', data: bytesOf('<script>'), contentType: 'text/html' });
    const answer = await fetch(await store.presign({ worldPath: '/artifacts/p', ttlS: 60 }));
    assert.is(answer.headers.get('content-security-policy'), 'sandbox');
    assert.is(answer.headers.get('x-content-type-options'), 'nosniff');
    await answer.body?.cancel();
  }));

test('a short secret, a taken port and a store without a gateway are told apart', () =>
  withStore(async ({ store, folder, gatewayUrl }) => {
    const secret = randomBytes(32);
    await refusal(startGateway({ store, secret: randomBytes(15) }), 'ERR_CONFIG');
    await refusal(startGateway({ store, secret, port: Number(new URL(gatewayUrl).port) }), 'ERR_UNAVAILABLE');
    const mute = await openFileStore(pathToFileURL(folder));
    await refusal(mute.presign({ worldPath: '/artifacts/a', ttlS: 1 }), 'ERR_CONFIG');
  }));

test('the gateway listens on loopback', () =>
  withStore(async ({ gatewayUrl }) => {
    assert.is(new URL(gatewayUrl).hostname, '127.0.0.1');
  }));

test('range headers', () => {
  const cases: readonly [string | undefined, number, unknown][] = [
    [undefined, 10, undefined],
    ['bytes=0-', 10, { offset: 0, length: 10 }],
    ['bytes=2-3', 10, { offset: 2, length: 2 }],
    ['bytes=2-99', 10, { offset: 2, length: 8 }],
    ['bytes=-3', 10, { offset: 7, length: 3 }],
    ['bytes=-99', 10, { offset: 0, length: 10 }],
    ['bytes=10-', 10, 'unsatisfiable'],
    ['bytes=0-', 0, 'unsatisfiable'],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=3-2', 10, undefined],
    ['bytes=-', 10, undefined],
    ['bytes=0-1,3-4', 10, undefined],
    ['lines=0-1', 10, undefined],
    ['bytes=0-1e9', 10, undefined],
  ];
  for (const [header, size, expected] of cases) assert.equal(parseRangeHeader(header, size), expected, String(header));
});

test('scrubbing takes signatures out of any text and leaves the rest', () =>
  withStore(async ({ store }) => {
    const { url } = await store.presignPut(UPLOAD);
    const signature = new URL(url).searchParams.get('x-isomorph-signature') ?? '';
    assert.is(signature.length, 64);
    const inside = [
      `PUT ${url} failed`,
      JSON.stringify({ url, next: 'kept' }),
      `<a href="${url.replaceAll('&', '&amp;')}">kept</a>`,
      `https://proxy.example/?to=${encodeURIComponent(url)}&kept=1`,
      url.replaceAll('&', '\\u0026').replaceAll('=', '\\u003d'),
      `(${url}), kept`,
    ];
    for (const text of inside) {
      assert.not.ok(scrubCredentials(text).includes(signature), text);
      assert.ok(scrubCredentials(text).includes('REDACTED'), text);
      if (text.includes('kept')) assert.ok(scrubCredentials(text).includes('kept'), text);
    }
    assert.is((await putChunks(scrubCredentials(url), [bytesOf('x')])).status, 403);
    const s3 = 'https://s3.example/b/k?X-Amz-Credential=AKIA%2F2026&X-Amz-Signature=abc123&X-Amz-Security-Token=t%2B/=';
    assert.not.match(scrubCredentials(s3), /AKIA|abc123|t%2B/);
    assert.is(scrubCredentials('no secret, one signature = two'), 'no secret, one signature = two');
  }));

test.run();
