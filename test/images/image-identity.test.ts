import * as assert from 'uvu/assert';
import { parseImageReference } from '../../shared/ids/image-reference.ts';
import {
  type InspectedImage,
  imageIdentity,
  matchesReference,
  pinOf,
  repoDigest,
} from '../../shared/runtime/image-identity.ts';
import { suite } from '../harness/suite.ts';

const test = suite('image identity');

const DIGEST = `sha256:${'a'.repeat(64)}`;

const image: InspectedImage = {
  Os: 'linux',
  Architecture: 'amd64',
  RepoDigests: [],
  RootFS: { Layers: [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`] },
  Config: { Env: ['PATH=/bin'], Entrypoint: ['node'], Cmd: ['/app/x.mjs'], User: '65532:65532', WorkingDir: '/app' },
};

const pulled: InspectedImage = { ...image, RepoDigests: [`registry.test:5000/csv/profile@${DIGEST}`] };

test('it is the SHA-256 of canonical JSON that anyone can write down', () => {
  // Made by `jq -cSj . | sha256sum` of the seven fields.
  assert.is(imageIdentity(image), 'sha256:a2f895f4380579c089aff7bea3b0c0112a3f062e356a9af04f55bddeac9ab64f');
});

test('engines that say "none" in different ways agree', () => {
  const bare = { Os: 'linux', Architecture: 'amd64', RootFS: { Layers: [] } };
  const absent = imageIdentity({ ...bare, RootFS: {}, Config: {} });
  const empty = { Env: [], Entrypoint: [], Cmd: [], User: '', WorkingDir: '' };
  const nothing = { Env: null, Entrypoint: null, Cmd: null, User: null, WorkingDir: null };
  assert.is(imageIdentity({ ...bare, Config: empty }), absent);
  assert.is(imageIdentity({ ...bare, RootFS: { Layers: null }, Config: nothing }), absent);
  assert.is(imageIdentity({ ...bare, Config: { ...empty, WorkingDir: '/' } }), absent);
});

test('whatever changes what runs changes it; names do not', () => {
  const { Config, RootFS } = image;
  const layers = RootFS.Layers ?? [];
  const others: InspectedImage[] = [
    { ...image, Os: 'windows' },
    { ...image, Architecture: 'arm64' },
    { ...image, RootFS: { Layers: [...layers].reverse() } },
    { ...image, RootFS: { Layers: layers.slice(1) } },
    { ...image, Config: { ...Config, Env: ['PATH=/sbin'] } },
    { ...image, Config: { ...Config, Entrypoint: ['node', '/app/x.mjs'], Cmd: [] } },
    { ...image, Config: { ...Config, Cmd: [] } },
    { ...image, Config: { ...Config, User: 'root' } },
    { ...image, Config: { ...Config, WorkingDir: '/' } },
  ];
  assert.is(new Set([image, ...others].map(imageIdentity)).size, others.length + 1);
  assert.is(imageIdentity(pulled), imageIdentity(image));
});

test('a reference splits into name and digest', () => {
  assert.equal(parseImageReference('isomorph/x:1'), { name: 'isomorph/x:1', digest: undefined });
  assert.equal(parseImageReference(`isomorph/x:1@${DIGEST}`), { name: 'isomorph/x:1', digest: DIGEST });
  assert.equal(parseImageReference(`localhost:5000/x@${DIGEST}`), { name: 'localhost:5000/x', digest: DIGEST });
  // A digest of another form pins nothing, and no engine knows the whole as a name.
  assert.equal(parseImageReference('isomorph/x@sha256:abc'), { name: 'isomorph/x@sha256:abc', digest: undefined });
});

test('a digest of a registry counts under its own name only', () => {
  assert.is(repoDigest(pulled, 'registry.test:5000/csv/profile:1'), DIGEST);
  assert.is(repoDigest(pulled, 'registry.test:5000/csv/profile'), DIGEST);
  assert.is(repoDigest(pulled, 'registry.test:5000/csv/chart:1'), undefined);
  const hub = { ...image, RepoDigests: [`node@${DIGEST}`] };
  assert.is(repoDigest(hub, 'docker.io/library/node:22-slim'), DIGEST);
  assert.is(repoDigest({ ...image, RepoDigests: null }, 'node:22-slim'), undefined);
});

test('the pin of an image is its digest, else its identity, and matches it again', () => {
  for (const [one, name] of [
    [pulled, 'registry.test:5000/csv/profile:1'],
    [pulled, 'isomorph/other:1'],
    [image, 'isomorph/csv_profile:1'],
  ] as const) {
    const reference = parseImageReference(`${name}@${pinOf(one, name)}`);
    assert.ok(matchesReference(one, reference), name);
    assert.not(matchesReference({ ...one, Architecture: 'arm64', RepoDigests: [] }, reference), name);
  }
  assert.is(pinOf(pulled, 'registry.test:5000/csv/profile:1'), DIGEST);
  assert.is(pinOf(image, 'isomorph/csv_profile:1'), imageIdentity(image));
  assert.ok(matchesReference(image, parseImageReference('isomorph/csv_profile:1')), 'without a digest any image');
});

test.run();
