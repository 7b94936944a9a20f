/** Admitted documents that the store cannot give: each costs its own plan its steps, for as long as it lasts. */
import { mkdir, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { delay } from '../../shared/async/delay.ts';
import { fsck } from '../../shared/fsck/fsck.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { openS3Store } from '../../shared/world/drivers/s3/s3.ts';
import { available, type RunningServer, startMoto } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { type S3Proxy, startS3Proxy } from '../world/s3-proxy.ts';
import { newBucketUrl, S3_ANY_KEYS } from '../world/s3-store.ts';
import { type Postgres, startTestPostgres, type TestWorld, WARN, withWorld } from './world-fixture.ts';

const test = suite('projector, unread documents');
const moto = await available('moto');

let postgres: Postgres;

test.before(async () => {
  postgres = await startTestPostgres();
});

test.after(async () => {
  await postgres.stop();
});

const documentOf = (planId: string): string => `artifacts/plans/${planId}/admitted.json`;

/** A link to itself: what the system says of it (ELOOP) is what it says of any path that it refuses, to root too. */
async function loopAt(path: string): Promise<{ remove(): Promise<void> }> {
  await mkdir(dirname(path), { recursive: true });
  await symlink(path, path);
  return { remove: () => rm(path) };
}

/** The store looks here for what it knows of a document. */
const breakDocument = (world: TestWorld, planId: string) =>
  loopAt(join(world.folder, '.isomorph/contested', documentOf(planId)));

interface PlanRow {
  readonly status: string;
  readonly title: string | null;
  readonly head_seq: string;
  readonly document_fault: string | null;
  readonly steps: readonly string[] | null;
}

async function planRow({ query }: TestWorld, planId: string): Promise<PlanRow | undefined> {
  const [row] = await query<PlanRow & Record<string, unknown>>(
    `select status, title, head_seq, document_fault,
       (select json_agg(step_id || ' ' || s.status order by position) from isomorph.steps s where s.plan_id = p.plan_id) steps
     from isomorph.plans p where plan_id = $1`,
    [planId],
  );
  return row;
}

async function becomesWhole(world: TestWorld, planId: string): Promise<PlanRow> {
  for (;;) {
    const row = await planRow(world, planId);
    if (row !== undefined && row.document_fault === null) return row;
    await delay(20);
  }
}

async function logged({ logged: lines }: TestWorld, msg: string): Promise<void> {
  while (!lines.some((line) => line.msg.includes(msg))) await delay(20);
}

const warnedOf = ({ logged: lines }: TestWorld, planId: string): number =>
  lines.filter(({ level, plan_id }) => level === WARN && plan_id === planId).length;

test('a document that a folder refuses costs its plan the steps; others go on, and a restart puts it right', async () => {
  await withWorld(postgres, async (world) => {
    const { author } = world;
    const check = () => fsck(world);
    const first = await world.startProjector();
    await world.projectedTo(await author.submit('bad', ['only']));
    assert.equal((await planRow(world, 'bad'))?.steps, ['only ready']);
    await first.stop();

    const fault = await breakDocument(world, 'bad');
    const second = await world.startProjector();
    const id = await author.schedule('bad', 'only', 1);
    await world.projectedTo(await author.wholeLife('good'));
    await author.start('bad', id);
    await world.projectedTo(await author.wholeLife('better'));
    const { document_fault: why, ...bare } = (await planRow(world, 'bad')) ?? {};
    // What was known of the step would be wrong by now.
    assert.equal(bare, { status: 'running', title: null, head_seq: '5', steps: null });
    assert.match(why ?? '', /^ERR_UNAVAILABLE: stat \/artifacts\/plans\/bad\/admitted.json: ELOOP/);
    for (const planId of ['good', 'better']) {
      assert.equal((await planRow(world, planId))?.steps, ['first succeeded', 'second succeeded']);
    }
    assert.is(warnedOf(world, 'bad'), 1, 'told once, not with each event');
    // It is a finding of this one artifact, and nothing else is left unchecked.
    const { findings } = await check();
    assert.equal(
      findings.map(({ where, place, code }) => [where, place, code]),
      [['artifacts', '/artifacts/plans/bad/admitted.json', 'ERR_UNAVAILABLE']],
    );
    await second.stop();

    await fault.remove();
    const [behind, ...others] = (await check()).findings;
    assert.equal(others, []);
    assert.is(behind?.place, 'plans (plan_id bad).document_fault');
    assert.match(behind?.message ?? '', 'projected without its steps');
    await world.startProjector();
    const { steps, title } = await becomesWhole(world, 'bad');
    assert.equal([steps, title], [['only running'], 'The plan bad']);
    assert.equal((await check()).findings, []);
  });
});

test('a document that was not there appears by itself, without an event of its plan', async () => {
  await withWorld(postgres, async (world) => {
    const document = join(world.folder, documentOf('late'));
    const position = await world.author.submit('late', ['only']);
    await rename(document, `${document}.away`);
    await world.startProjector();
    await world.projectedTo(position);
    assert.equal((await planRow(world, 'late'))?.steps, null);
    await rename(`${document}.away`, document);
    assert.equal((await becomesWhole(world, 'late')).steps, ['only ready']);
    assert.equal((await fsck(world)).findings, []);
  });
});

test('a store that is away as a whole is waited for: nothing is projected without its document', async () => {
  await withWorld(postgres, async (world) => {
    const artifacts = join(world.folder, 'artifacts');
    const position = await world.author.wholeLife('life');
    await rename(artifacts, `${artifacts}.away`);
    const fault = await loopAt(artifacts);
    const first = await world.startProjector();
    await logged(world, 'projecting was interrupted');
    assert.equal(await world.query('select plan_id from isomorph.plans'), []);
    const refused = await fsck(world).catch((error: { code: string }) => error);
    assert.is('code' in refused && refused.code, 'ERR_UNAVAILABLE');
    // Between the two a document is missing, which is no fault of the store. Below, S3 comes back under a projector that waits.
    await first.stop();
    await fault.remove();
    await rename(`${artifacts}.away`, artifacts);
    await world.startProjector();
    await world.projectedTo(position);
    assert.equal((await planRow(world, 'life'))?.steps, ['first succeeded', 'second succeeded']);
    assert.is(warnedOf(world, 'life'), 0);
    assert.equal((await fsck(world)).findings, []);
  });
});

const REFUSAL = { status: 403, body: '<Error><Code>AccessDenied</Code></Error>' };

/** The store of the world behind a proxy, as a bucket. */
async function withBucket(use: (store: ArtifactStore, proxy: S3Proxy) => Promise<void>): Promise<void> {
  const server: RunningServer = await startMoto();
  const proxy = await startS3Proxy(server.url);
  const store = await openS3Store(newBucketUrl(proxy), { credentials: S3_ANY_KEYS });
  try {
    await use(store, proxy);
  } finally {
    await Promise.all([store.close(), proxy.close(), server.stop()]);
  }
}

async function copyDocument(world: TestWorld, store: ArtifactStore, planId: string): Promise<void> {
  const worldPath = `/${documentOf(planId)}`;
  const data = await world.store.getBytes({ worldPath });
  await store.putBytes({ worldPath, data, contentType: 'application/json' });
}

if (moto.ok) {
  test('S3: one object that is refused costs one plan; all of them refused cost time alone', async () => {
    await withBucket((store, proxy) =>
      withWorld(postgres, async (world) => {
        const submitted = async (planId: string) => {
          const position = await world.author.submit(planId, ['only']);
          await copyDocument(world, store, planId);
          return position;
        };
        await submitted('denied');
        proxy.decide = ({ url }) => (url?.includes('/denied/') ? REFUSAL : 'pass');
        const first = await world.startProjector({ store });
        await world.projectedTo(await world.author.schedule('denied', 'only', 1).then(() => submitted('granted')));
        assert.match((await planRow(world, 'denied'))?.document_fault ?? '', /^ERR_REFUSED: .*403/);
        assert.equal((await planRow(world, 'denied'))?.head_seq, '4');
        assert.equal((await becomesWhole(world, 'granted')).steps, ['only ready']);
        await first.stop();

        const position = await submitted('patient');
        proxy.decide = () => REFUSAL;
        await world.startProjector({ store });
        await logged(world, 'projecting was interrupted');
        assert.is(await planRow(world, 'patient'), undefined);
        proxy.decide = () => 'pass';
        await world.projectedTo(position);
        assert.equal((await planRow(world, 'patient'))?.steps, ['only ready']);
        assert.is(warnedOf(world, 'patient'), 0);
        assert.equal((await becomesWhole(world, 'denied')).steps, ['only scheduled']);
      }),
    );
  });
}

test.run();
