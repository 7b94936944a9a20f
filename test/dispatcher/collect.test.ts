import * as assert from 'uvu/assert';
import { sealLog, sealOutputs } from '../../services/dispatcher/collect.ts';
import type { Collected } from '../../services/dispatcher/decide.ts';
import { scrubOf } from '../../services/dispatcher/scrub.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { BY_HAND, takePath } from '../../shared/world/whose.ts';
import { suite } from '../harness/suite.ts';
import { processor, step } from '../plan/admitted-plan.ts';
import { type FileStoreUnderTest, makeFileStore } from '../world/file-store.ts';
import { refusal } from '../world/samples.ts';

const test = suite('what a run left');

const PATH = '/artifacts/outputs/plan/train/out.json';
const JSON_TYPE = 'application/json';
const ID = 'plan.train.2';

async function withStore(use: (under: FileStoreUnderTest) => Promise<void>): Promise<void> {
  const under = await makeFileStore();
  try {
    await use(under);
  } finally {
    await under.dispose();
  }
}

const scrub = scrubOf({ values: {}, handles: [] });

function collect({ store }: FileStoreUnderTest, prefix?: string): Promise<Collected> {
  const one = step('train', prefix === undefined ? {} : { write_prefix: prefix });
  return sealOutputs({ store, planId: 'plan', step: one, processor: processor(), executionId: ID, scrub });
}

async function upload({ store }: FileStoreUnderTest, content: string, worldPath = PATH): Promise<void> {
  const request = { uploadId: ID, worldPath, contentType: JSON_TYPE, maxBytes: 1_000, ttlS: 60 };
  const { url } = await store.presignPut(request);
  const response = await fetch(url, { method: 'PUT', body: content, headers: { 'content-type': JSON_TYPE } });
  assert.ok(response.ok, String(response.status));
}

const put = ({ store }: FileStoreUnderTest, content: string, worldPath = PATH) =>
  store.putBytes({ worldPath, data: Buffer.from(content), contentType: JSON_TYPE });

const codeOf = (collected: Collected): string => (collected.ok ? 'collected' : collected.why.code);

test('an upload is sealed and named, and no artifact yet', () =>
  withStore(async (under) => {
    await upload(under, '{"a":1}');
    const collected = await collect(under);
    const [draft] = collected.ok ? collected.artifacts : [];
    assert.equal(draft?.kind === 'artifact.written' && [draft.data.path, draft.data.cid], [PATH, cidOf('{"a":1}')]);
    assert.is(await under.store.stat(PATH), undefined);
    await upload(under, '{"a":2}');
    assert.equal(await collect(under), collected, 'taken up again, whatever was sent since');
  }));

test('a path that holds other bytes fails the run before anything is named, and keeps them', () =>
  withStore(async (under) => {
    for (const prefix of [undefined, '/artifacts/shared/']) {
      const path = prefix === undefined ? PATH : `${prefix}out.json`;
      await put(under, 'of somebody else', path);
      await upload(under, '{"a":3}', path);
      assert.is(codeOf(await collect(under, prefix)), 'ERR_IMMUTABLE');
      assert.is((await under.store.stat(path))?.cid, cidOf('of somebody else'));
    }
  }));

test('a path of another is refused before anything is named: by its name, by a claim, or put by hand', () =>
  withStore(async (under) => {
    const { store } = under;
    await store.claim({ worldPath: '/artifacts/claimed/out.json', owner: 'other' });
    await takePath(store, '/artifacts/by-hand/out.json', BY_HAND);
    for (const prefix of ['/artifacts/outputs/other/train/', '/artifacts/claimed/', '/artifacts/by-hand/']) {
      await upload(under, '{"a":5}', `${prefix}out.json`);
      assert.is(codeOf(await collect(under, prefix)), 'ERR_IMMUTABLE', prefix);
    }
  }));

test('a path that no name gives is claimed for the plan before it is named', () =>
  withStore(async (under) => {
    await upload(under, '{"a":6}', '/artifacts/shared/out.json');
    assert.is(codeOf(await collect(under, '/artifacts/shared/')), 'collected');
    await refusal(takePath(under.store, '/artifacts/shared/out.json', BY_HAND), 'ERR_IMMUTABLE');
    await takePath(under.store, '/artifacts/shared/out.json', 'plan');
  }));

test('a path where the store cannot hold an artifact fails the run before anything is named', () =>
  withStore(async (under) => {
    await put(under, 'below it', `${PATH}/below`);
    await upload(under, '{"a":4}');
    assert.is(codeOf(await collect(under)), 'ERR_UNIMPLEMENTED');
  }));

test('a required output that is not there fails the run', () =>
  withStore(async (under) => {
    assert.is(codeOf(await collect(under)), 'ERR_OUTPUT_MISSING');
  }));

test('a log that was sealed before a crash stays as it is, and is named as it is', () =>
  withStore(async ({ store }) => {
    const [first] = await sealLog(store, 'plan', ID, 'before the crash\n');
    const [again] = await sealLog(store, 'plan', ID, 'after it\n');
    assert.equal(again, first);
    assert.equal(await sealLog(store, 'plan', 'plan.train.3', ''), []);
  }));

test.run();
