/** Presigned URLs of objects of a bucket. */
import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { Audience } from '../../artifact-store.ts';
import { guarded } from './faults.ts';

/** The condition of every write: nothing is there. */
export const ABSENT = { IfNoneMatch: '*' } as const;

/** The same for whoever PUTs to a presigned URL: signed, so that nobody can leave it out. */
export const UPLOAD_HEADERS = { 'if-none-match': '*' } as const;

interface Presigning {
  readonly key: string;
  readonly ttlS: number;
  readonly signingDate: Date;
  readonly audience: Audience;
}

export class Signer {
  readonly #bucket: string;
  readonly #clients: Readonly<Record<Audience, S3Client>>;

  constructor(bucket: string, clients: Readonly<Record<Audience, S3Client>>) {
    this.#bucket = bucket;
    this.#clients = clients;
  }

  get({ key, ttlS, signingDate, audience }: Presigning): Promise<string> {
    const command = new GetObjectCommand({ Bucket: this.#bucket, Key: key });
    return guarded(`sign ${key}`, () =>
      getSignedUrl(this.#clients[audience], command, { expiresIn: ttlS, signingDate }),
    );
  }

  /** Of a PUT that, with UPLOAD_HEADERS, creates an object where none is. */
  put({ key, ttlS, signingDate, audience, contentType }: Presigning & { contentType: string }): Promise<string> {
    const command = new PutObjectCommand({ Bucket: this.#bucket, Key: key, ContentType: contentType, ...ABSENT });
    const signableHeaders = new Set(['host', 'content-type', ...Object.keys(UPLOAD_HEADERS)]);
    return guarded(`sign ${key}`, () =>
      getSignedUrl(this.#clients[audience], command, { expiresIn: ttlS, signingDate, signableHeaders }),
    );
  }
}
