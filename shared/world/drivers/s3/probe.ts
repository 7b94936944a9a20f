/**
 * Whether the server keeps the promise that everything rests on. Many that speak S3 accept `If-None-Match` and overwrite
 * all the same; nothing but trying tells.
 */
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import type { Bucket } from './bucket.ts';
import type { Layout } from './layout.ts';

const DATA = Buffer.from('Isomorph asks whether this server refuses to overwrite.\n');
const CONTENT_TYPE = 'text/plain';

function refuse(what: string): never {
  throw new IsomorphError(
    'ERR_CONFIG',
    `this S3 server ignores If-None-Match on ${what}: it would overwrite artifacts`,
    {
      expected: 'a server with conditional writes: AWS S3, Ceph RGW 20, or another of docs/artifact-stores.md',
    },
  );
}

/** What of S3 beside its promise a server has. */
export interface Abilities {
  /** Parts that are copies of other objects. */
  readonly copiesParts: boolean;
}

/** @throws IsomorphError ERR_CONFIG when the server overwrites; ERR_UNAVAILABLE when it cannot be reached */
export async function probeServer(bucket: Bucket, layout: Layout): Promise<Abilities> {
  const object = { key: layout.probe(), contentType: CONTENT_TYPE };
  const put = { ...object, data: DATA };
  // The object stays, so from the second start on one request tells.
  const first = await bucket.create(put);
  if (first === 'done' && (await bucket.create(put)) === 'done') refuse('PutObject');
  const upload = await bucket.createMultipart(object);
  let outcome: string | undefined;
  let copied: string | undefined;
  try {
    copied = await bucket.copyPart(upload, 1, object.key).catch(unlessItPasses);
    outcome = await bucket.completeMultipart(upload, [copied ?? (await bucket.putPart(upload, 1, DATA))]);
  } finally {
    if (outcome !== 'done') await bucket.abortMultipart(upload);
  }
  if (outcome === 'done') refuse('CompleteMultipartUpload');
  return { copiesParts: copied !== undefined };
}

/** A server that does not know the call refuses it in its own way; an outage is none of them. */
function unlessItPasses(error: unknown): undefined {
  if (!(error instanceof IsomorphError) || error.retryable) throw error;
}
