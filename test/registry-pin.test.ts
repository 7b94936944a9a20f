import { readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { withImage } from '../shared/registry/pin.ts';
import { type InspectedImage, imageIdentity } from '../shared/runtime/image-identity.ts';
import { runCli } from './cli/run-cli.ts';
import { writeRegistry } from './harness/registry-folder.ts';
import { suite } from './harness/suite.ts';
import { registryFile } from './registry-pin-fixture.ts';

const test = suite('registry pin');

const DIGEST = `sha256:${'d'.repeat(64)}`;
const PINNED = `isomorph/x:1@${DIGEST}`;

test('only the image changes, however it was written', () => {
  const written = ['isomorph/x:1', "'isomorph/x:1'", '"isomorph/x:1"', PINNED.replaceAll('d', 'e')];
  for (const image of written) {
    const before = registryFile('csv/chart@1', image);
    const after = withImage(before, PINNED);
    const quote = /^['"]/.exec(image)?.[0] ?? '';
    assert.is(after, before.replace(`image: ${image}`, `image: ${quote}${PINNED}${quote}`));
    assert.equal(parse(after), { ...parse(before), image: PINNED });
    assert.is(withImage(after, PINNED), after, 'again changes nothing');
  }
});

test('files of any form keep what they say', () => {
  const forms = [
    `{"ref": "a/b@1", "image": "isomorph/x:1", "read_only": false}`,
    `{ref: a/b@1, image: isomorph/x:1, read_only: false}`,
    `ref: a/b@1\r\nimage: isomorph/x:1\r\nread_only: false\r\n`,
    `ref: a/b@1\nimage: >-\n  isomorph/x:1\nread_only: false\n`,
    `ref: a/b@1\nread_only: false\nimage:   isomorph/x:1`,
  ];
  for (const text of forms) {
    assert.equal(parse(withImage(text, PINNED)), { ref: 'a/b@1', image: PINNED, read_only: false }, text);
  }
  assert.ok(withImage(forms[2] ?? '', PINNED).includes(`${PINNED}\r\n`));
});

test('whatever else is in a file stays the same bytes', () => {
  const comment = fc.stringMatching(/^[ -~]{0,40}$/);
  fc.assert(
    fc.property(comment, comment, fc.nat(5), (above, beside, blanks) => {
      const [head, tail] = [`# ${above}\n${'\n'.repeat(blanks)}image: `, ` # ${beside}\nref: a/b@1\n`];
      assert.is(withImage(`${head}isomorph/x:1${tail}`, PINNED), `${head}${PINNED}${tail}`);
    }),
  );
});

test('an image that is not written out is refused with its place', () => {
  for (const text of ['a: &i isomorph/x:1\nimage: *i\n', 'ref: a/b@1\n', 'image: { name: x }\n']) {
    assert.throws(
      () => withImage(text, PINNED),
      (error: { code?: string; place?: { pointer?: string } }) =>
        error.code === 'ERR_SCHEMA' && error.place?.pointer === '/image',
    );
  }
});

const built: InspectedImage = {
  Os: 'linux',
  Architecture: 'amd64',
  RepoDigests: [],
  RootFS: { Layers: [`sha256:${'1'.repeat(64)}`] },
  Config: { Entrypoint: ['node'] },
};

/** Answers as an engine does, with these images by name. */
async function withEngine(
  images: Readonly<Record<string, InspectedImage>>,
  use: (dockerHost: string, registry: Awaited<ReturnType<typeof writeRegistry>>) => Promise<void>,
): Promise<void> {
  const registry = await writeRegistry({
    built: registryFile('csv/built@1', 'isomorph/built:1'),
    pulled: registryFile('csv/pulled@1', `registry.test/pulled:1@sha256:${'0'.repeat(64)}`),
  });
  const socket = path.join(registry.folder, 'e.sock');
  const server = createServer((request, answer) => {
    const name = /\/images\/(.+)\/json$/.exec(decodeURIComponent(request.url ?? ''))?.[1];
    const image = name === undefined ? undefined : images[name];
    answer.setHeader('content-type', 'application/json');
    if (request.url?.endsWith('/_ping')) answer.end('OK');
    else answer.writeHead(image === undefined ? 404 : 200).end(JSON.stringify(image ?? { message: 'No such image' }));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  try {
    await use(`unix://${socket}`, registry);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await registry.remove();
  }
}

const pulled: InspectedImage = { ...built, RepoDigests: [`registry.test/pulled@${DIGEST}`] };
const BOTH = { 'isomorph/built:1': built, 'registry.test/pulled:1': pulled };

test('a pulled image is pinned by its digest, one built here by its identity', async () => {
  await withEngine(BOTH, async (dockerHost, registry) => {
    const env = { DOCKER_HOST: dockerHost, ISOMORPH_REGISTRY: registry.folder };
    const result = await runCli(['registry', 'pin', '--json'], { env });
    assert.is(result.code, 0, result.stderr);
    const identity = imageIdentity(built);
    const before = registryFile('csv/built@1', 'isomorph/built:1');
    assert.is(await registry.text('built'), before.replace('isomorph/built:1', `isomorph/built:1@${identity}`));
    assert.ok((await registry.text('pulled')).includes(`image: registry.test/pulled:1@${DIGEST}   # the tag moves\n`));
    const [document] = result.documents() as { ok: boolean; pinned: { ref: string; by: string; changed: boolean }[] }[];
    assert.equal(
      document?.pinned.map(({ ref, by, changed }) => [ref, by, changed]),
      [
        ['csv/built@1', 'identity', true],
        ['csv/pulled@1', 'digest', true],
      ],
    );
    const again = await runCli(['registry', 'pin'], { env });
    assert.is(again.code, 0);
    assert.match(again.stdout, /csv\/built@1 {2}unchanged/);
    assert.equal((await readdir(path.join(registry.folder, 'processors'))).sort(), ['built.yaml', 'pulled.yaml']);
  });
});

test('a pinned tag that moved is pinned anew', async () => {
  const images = { ...BOTH };
  await withEngine(images, async (dockerHost, registry) => {
    const env = { DOCKER_HOST: dockerHost, ISOMORPH_REGISTRY: registry.folder };
    await runCli(['registry', 'pin', 'csv/built@1'], { env });
    const moved = { ...built, Architecture: 'arm64' };
    images['isomorph/built:1'] = moved;
    const result = await runCli(['registry', 'pin', 'csv/built@1'], { env });
    assert.is(result.code, 0, result.stderr);
    assert.ok((await registry.text('built')).includes(`isomorph/built:1@${imageIdentity(moved)}`));
    assert.ok((await registry.text('pulled')).includes('0'.repeat(64)), 'what was not named is left alone');
  });
});

test('an image that the engine lacks is named, the others are pinned', async () => {
  await withEngine({ 'registry.test/pulled:1': pulled }, async (dockerHost, registry) => {
    const env = { DOCKER_HOST: dockerHost, ISOMORPH_REGISTRY: registry.folder };
    const result = await runCli(['registry', 'pin'], { env });
    assert.is(result.code, 1);
    assert.match(result.stdout, 'csv/built@1  the engine has no image isomorph/built:1');
    assert.match(result.stdout, 'npm run images');
    assert.is(await registry.text('built'), registryFile('csv/built@1', 'isomorph/built:1'));
    assert.ok((await registry.text('pulled')).includes(DIGEST));
  });
});

test('an unknown processor and an engine that does not answer are told, and nothing is written', async () => {
  await withEngine(BOTH, async (dockerHost, registry) => {
    const env = { DOCKER_HOST: dockerHost, ISOMORPH_REGISTRY: registry.folder };
    const unknown = await runCli(['registry', 'pin', 'csv/nothing@1'], { env });
    assert.is(unknown.code, 1);
    assert.match(unknown.stderr, 'ERR_UNKNOWN_PROCESSOR');
    assert.match(unknown.stderr, 'csv/built@1, csv/pulled@1');
    const absent = `unix://${path.join(registry.folder, 'nothing.sock')}`;
    const silent = await runCli(['registry', 'pin'], { env: { ...env, DOCKER_HOST: absent } });
    assert.is(silent.code, 1);
    assert.match(silent.stderr, 'ERR_UNAVAILABLE');
    assert.match(silent.stderr, absent);
    assert.is(await registry.text('built'), registryFile('csv/built@1', 'isomorph/built:1'));
  });
});

test.run();
