/**
 * The store against the bare client on the same server in the same run, taking turns: what hashing, conditions and
 * metadata cost. The server is Ceph RGW on loopback, objects in memory; the bare client is the SDK as the store sets it up.
 */
import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { createBlake3 } from '../shared/hash/blake3.ts';
import type { ArtifactStore } from '../shared/world/artifact-store.ts';
import { openS3Store } from '../shared/world/drivers/s3/s3.ts';
import { available, type RunningCeph, startCeph } from '../test/harness/servers/index.ts';
import { type BenchResult, inParallel, takeTurns } from './harness.ts';

const run = promisify(execFile);

const KIB = 1024;
const MIB = 1024 * KIB;
const STREAM_BYTES = 1024 * MIB;
const PIECE = Buffer.alloc(MIB, 'isomorph');
const CONCURRENCY = 8;
const ROUNDS = 9;
const WARM_UPS = 4;
const STREAM_ROUNDS = 5;
const HASH_BYTES = 512 * MIB;
const HASH_ROUNDS = 9;
const TYPE = 'application/octet-stream';
const BUCKET = 'bench';
const METADATA = { cid: `blake3:${'0'.repeat(64)}`, sha256: '0'.repeat(64), writer: '0'.repeat(32) };

interface Subjects {
  readonly store: ArtifactStore;
  readonly bare: S3Client;
}

function bareClient(ceph: RunningCeph): S3Client {
  return new S3Client({
    ...{ region: 'us-east-1', endpoint: ceph.url, forcePathStyle: true, credentials: ceph },
    ...{ requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' },
    requestHandler: { httpAgent: { keepAlive: true, maxSockets: 128 } },
  });
}

async function small({ store, bare }: Subjects, name: string, bytes: number, ops: number) {
  const data = Buffer.alloc(bytes, name);
  const worldPath = (round: number, index: number) => `/artifacts/${name}/${round}/${index}`;
  const Key = (round: number, index: number) => `bare/${name}/${round}/${index}`;
  const put = await takeTurns(
    (round) =>
      inParallel(ops, CONCURRENCY, (index) =>
        store.putBytes({ worldPath: worldPath(round, index), data, contentType: TYPE }),
      ),
    (round) =>
      inParallel(ops, CONCURRENCY, (index) =>
        bare.send(new PutObjectCommand({ Bucket: BUCKET, Key: Key(round, index), Body: data, ContentType: TYPE })),
      ),
    ROUNDS,
    WARM_UPS,
  );
  // What of it is the server's: the bare client sends the condition and metadata of the same size.
  const same = await takeTurns(
    (round) =>
      inParallel(ops, CONCURRENCY, (index) =>
        store.putBytes({ worldPath: worldPath(WARM_UPS + ROUNDS + round, index), data, contentType: TYPE }),
      ),
    (round) =>
      inParallel(ops, CONCURRENCY, (index) => {
        const at = { Bucket: BUCKET, Key: Key(WARM_UPS + ROUNDS + round, index) };
        return bare.send(
          new PutObjectCommand({ ...at, Body: data, ContentType: TYPE, IfNoneMatch: '*', Metadata: METADATA }),
        );
      }),
    ROUNDS,
    WARM_UPS,
  );
  const getOurs = (round: number): Promise<void> =>
    inParallel(ops, CONCURRENCY, (index) => store.getBytes({ worldPath: worldPath(round, index) }));
  const getBare =
    (keyOf: (round: number, index: number) => string) =>
    (round: number): Promise<void> =>
      inParallel(ops, CONCURRENCY, async (index) => {
        const { Body } = await bare.send(new GetObjectCommand({ Bucket: BUCKET, Key: keyOf(round, index) }));
        await Body?.transformToByteArray();
      });
  const get = await takeTurns(getOurs, getBare(Key), ROUNDS, WARM_UPS);
  // The very objects of the store, whose metadata is sent along.
  const sameObject = await takeTurns(
    getOurs,
    getBare((round, index) => worldPath(round, index).slice(1)),
    ROUNDS,
    WARM_UPS,
  );
  return {
    ratios: {
      [`get_${name}`]: get.ratio,
      [`put_${name}`]: put.ratio,
      [`put_${name}_same_request`]: same.ratio,
      [`get_${name}_same_object`]: sameObject.ratio,
    },
    figures: {
      [`get_${name}_per_s`]: ops / get.oursS,
      [`get_${name}_bare_per_s`]: ops / get.referenceS,
      [`put_${name}_per_s`]: ops / put.oursS,
      [`put_${name}_bare_per_s`]: ops / put.referenceS,
    },
  };
}

async function* pieces(bytes: number): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < bytes; sent += PIECE.byteLength) yield PIECE;
}

/** As the SDK's own helper does it: parts of 5 MiB, four at once. */
async function barePut(bare: S3Client, Key: string): Promise<void> {
  const at = { Bucket: BUCKET, Key };
  const { UploadId } = await bare.send(new CreateMultipartUploadCommand({ ...at, ContentType: TYPE }));
  const part = Buffer.concat(Array.from({ length: 5 }, () => PIECE));
  const count = Math.ceil(STREAM_BYTES / part.byteLength);
  const Parts: { ETag: string | undefined; PartNumber: number }[] = [];
  await inParallel(count, 4, async (index) => {
    const Body = index === count - 1 ? part.subarray(0, STREAM_BYTES - index * part.byteLength) : part;
    const answer = await bare.send(new UploadPartCommand({ ...at, UploadId, PartNumber: index + 1, Body }));
    Parts[index] = { ETag: answer.ETag, PartNumber: index + 1 };
  });
  await bare.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts } }));
}

async function drain(body: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of body);
}

async function stream({ store, bare }: Subjects) {
  const worldPath = (round: number) => `/artifacts/stream/${round}`;
  const remove = (Key: string) => bare.send(new DeleteObjectCommand({ Bucket: BUCKET, Key }));
  const cids: string[] = [];
  const put = await takeTurns(
    async (round) => {
      if (round > 0) await remove(`artifacts/stream/${round - 1}`);
      const { cid } = await store.put({ worldPath: worldPath(round), body: pieces(STREAM_BYTES), contentType: TYPE });
      cids.push(cid);
    },
    async (round) => {
      if (round > 0) await remove(`bare/stream/${round - 1}`);
      await barePut(bare, `bare/stream/${round}`);
    },
    STREAM_ROUNDS,
  );
  const last = STREAM_ROUNDS - 1;
  const bareGet = async (): Promise<void> => {
    const { Body } = await bare.send(new GetObjectCommand({ Bucket: BUCKET, Key: `bare/stream/${last}` }));
    await drain(Body as Readable);
  };
  const get = await takeTurns(
    async () => drain((await store.get({ worldPath: worldPath(last) })).body),
    bareGet,
    STREAM_ROUNDS,
  );
  const verified = await takeTurns(
    async () => {
      const stat = await store.stat(worldPath(last));
      if (stat === undefined || stat.cid !== cids[last]) throw new Error('the stream is not what was put');
      await drain((await store.get({ worldPath: worldPath(last), expectedCid: stat.cid })).body);
    },
    bareGet,
    STREAM_ROUNDS,
  );
  const mibPerS = (seconds: number) => STREAM_BYTES / MIB / seconds;
  return {
    ratios: {
      stream_1g: (put.referenceS + get.referenceS) / (put.oursS + get.oursS),
      stream_1g_put: put.ratio,
      stream_1g_get: get.ratio,
      stream_1g_get_verified: verified.ratio,
    },
    figures: {
      stream_1g_put_mib_per_s: mibPerS(put.oursS),
      stream_1g_put_bare_mib_per_s: mibPerS(put.referenceS),
      stream_1g_get_mib_per_s: mibPerS(get.oursS),
      stream_1g_get_bare_mib_per_s: mibPerS(get.referenceS),
    },
  };
}

async function cid() {
  const folder = await mkdtemp(join(tmpdir(), 'isomorph-bench-'));
  const path = join(folder, 'bytes');
  try {
    const file = await open(path, 'w');
    for (let written = 0; written < HASH_BYTES; written += MIB) await file.write(PIECE);
    await file.close();
    const said: string[] = [];
    const turns = await takeTurns(
      async () => {
        const hash = createBlake3();
        for await (const chunk of createReadStream(path, { highWaterMark: MIB })) hash.update(chunk as Uint8Array);
        said.push(hash.digestHex());
      },
      async () => {
        const { stdout } = await run('b3sum', ['--num-threads', '1', '--no-names', path]);
        said.push(stdout.trim());
      },
      HASH_ROUNDS,
    );
    if (new Set(said).size !== 1) throw new Error('b3sum and we do not agree');
    return {
      ratios: { cid_over_b3sum: turns.ratio },
      figures: {
        cid_mib_per_s: HASH_BYTES / MIB / turns.oursS,
        b3sum_mib_per_s: HASH_BYTES / MIB / turns.referenceS,
      },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function bench(): Promise<BenchResult> {
  for (const name of ['ceph', 'b3sum'] as const) {
    const found = await available(name);
    if (!found.ok) throw new Error(`${found.reason}; \`npm run test:all\` provides it`);
  }
  const hashing = await cid();
  const ceph = await startCeph();
  const url = new URL(`s3://${BUCKET}?create=true&endpoint=${encodeURIComponent(ceph.url)}`);
  const store = await openS3Store(url, { credentials: ceph });
  const bare = bareClient(ceph);
  try {
    const subjects = { store, bare };
    // Both have their connections and their code warm before anything counts.
    const parts = [await small(subjects, '1k', KIB, 400), await small(subjects, '1m', MIB, 40), await stream(subjects)];
    return {
      ratios: Object.assign({}, ...parts.map((part) => part.ratios), hashing.ratios) as BenchResult['ratios'],
      figures: Object.assign({}, ...parts.map((part) => part.figures), hashing.figures) as BenchResult['figures'],
    };
  } finally {
    bare.destroy();
    await store.close();
    await ceph.stop();
  }
}
