/**
 * Whether the server keeps the promise that everything rests on. Many that speak S3 accept `If-None-Match` and overwrite
 * all the same; nothing but trying tells.
 */
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import type { Bucket } from './bucket.ts';
import type { Layout } from './layout.ts';

const DATA = Buffer.from('Isomorph asks whether this server refuses to overwrite.\n');
const CONTENT_TYPE = 'text/plain';
const ABSENT = { absent: true } as const;

function refuse(what: string): never {
  throw new IsomorphError(
    'ERR_CONFIG',
    `this S3 server ignores If-None-Match on ${what}: it would overwrite artifacts`,
    {
      expected: 'a server with conditional writes: AWS S3, Ceph RGW 20, or another of docs/artifact-stores.md',
    },
  );
}

/** @throws IsomorphError ERR_CONFIG when the server overwrites; ERR_UNAVAILABLE when it cannot be reached */
export async function probeConditions(bucket: Bucket, layout: Layout): Promise<void> {
  const object = { key: layout.probe(), contentType: CONTENT_TYPE };
  const put = { ...object, data: DATA, condition: ABSENT };
  // The object stays, so from the second start on one request tells.
  const first = await bucket.put(put);
  if (first === 'done' && (await bucket.put(put)) === 'done') refuse('PutObject');
  const upload = await bucket.createMultipart(object);
  let outcome: string | undefined;
  try {
    const etag = await bucket.putPart(upload, 1, DATA);
    outcome = await bucket.completeMultipart(upload, [etag], ABSENT);
  } finally {
    if (outcome !== 'done') await bucket.abortMultipart(upload);
  }
  if (outcome === 'done') refuse('CompleteMultipartUpload');
}
