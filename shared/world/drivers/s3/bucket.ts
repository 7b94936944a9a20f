/**
 * The calls of S3 that the store needs, in its own words. This file, `signer.ts` and `connect.ts` know the SDK: another client would
 * replace them and nothing else (docs/adr/0023).
 */
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import type { ByteRange } from '../../artifact-store.ts';
import { type Credentials, connect } from './connect.ts';
import { guarded, statusOf } from './faults.ts';
import type { BucketLocation } from './location.ts';
import { ABSENT, Signer } from './signer.ts';

export interface ObjectHead {
  /** Bytes of the whole object. */
  readonly size: number;
  readonly etag: string;
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** `refused`: the condition does not hold (412). `conflict`: another write is under way, ask again (409). */
export type WriteOutcome = 'done' | 'refused' | 'conflict';

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly modifiedMs: number;
}

export interface MultipartName {
  readonly key: string;
  readonly id: string;
}

interface Described {
  readonly key: string;
  readonly contentType: string;
  readonly metadata?: Record<string, string>;
}

/** Below this another hash costs less than telling the SDK not to make it. */
const HASH_AGAIN_BYTES = 64 * 1024;

const rangeHeader = ({ offset, length }: ByteRange): string =>
  `bytes=${offset}-${length === undefined ? '' : offset + length - 1}`;

interface Answer {
  readonly ContentLength?: number | undefined;
  readonly ContentRange?: string | undefined;
  readonly ContentType?: string | undefined;
  readonly ETag?: string | undefined;
  readonly Metadata?: Record<string, string> | undefined;
}

const headOf = (answer: Answer): ObjectHead => ({
  size: Number(/\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1] ?? answer.ContentLength ?? 0),
  etag: answer.ETag ?? '',
  contentType: answer.ContentType ?? 'application/octet-stream',
  metadata: answer.Metadata ?? {},
});

export class Bucket {
  readonly #name: string;
  readonly #client: S3Client;
  readonly #publicClient: S3Client;
  readonly signer: Signer;

  constructor(at: BucketLocation, credentials: Credentials | undefined) {
    this.#name = at.bucket;
    this.#client = connect(at, at.endpoint, credentials);
    this.#publicClient = at.publicEndpoint === at.endpoint ? this.#client : connect(at, at.publicEndpoint, credentials);
    this.signer = new Signer(at.bucket, { internal: this.#client, public: this.#publicClient });
  }

  /** Makes the bucket unless it is there. */
  async make(): Promise<void> {
    await guarded(`make the bucket ${this.#name}`, async () => {
      try {
        await this.#client.send(new CreateBucketCommand({ Bucket: this.#name }));
      } catch (error) {
        if (statusOf(error) !== 409) throw error;
      }
    });
  }

  /**
   * Writes an object where none is.
   * @param sha256 hex digest of `data`, where it is known: saves the signer another pass
   */
  create(request: Described & { data: Uint8Array; sha256?: string }): Promise<WriteOutcome> {
    const { key, contentType, metadata, data, sha256 } = request;
    const command = new PutObjectCommand({
      ...{ Bucket: this.#name, Key: key, Body: data, ContentType: contentType, ContentLength: data.byteLength },
      ...(metadata === undefined ? {} : { Metadata: metadata }),
      ...ABSENT,
    });
    if (sha256 !== undefined && data.byteLength >= HASH_AGAIN_BYTES) {
      command.middlewareStack.add(
        (next) => (args) => {
          const { headers } = args.request as { headers: Record<string, string> };
          headers['x-amz-content-sha256'] = sha256;
          return next(args);
        },
        { step: 'build', name: 'knownContentHash' },
      );
    }
    return this.#conditional(`put ${key}`, () => this.#client.send(command));
  }

  async head(key: string): Promise<ObjectHead | undefined> {
    const command = new HeadObjectCommand({ Bucket: this.#name, Key: key });
    const answer = await this.#unlessMissing(`stat ${key}`, () => this.#client.send(command));
    return answer === undefined ? undefined : headOf(answer);
  }

  /** Undefined: nothing is there. `outside`: the range begins behind the end. The body must be read or destroyed. */
  async get(
    key: string,
    range?: ByteRange,
    etag?: string,
  ): Promise<{ readonly head: ObjectHead; readonly body: Readable } | 'outside' | undefined> {
    const command = new GetObjectCommand({
      ...{ Bucket: this.#name, Key: key },
      ...(range === undefined ? {} : { Range: rangeHeader(range) }),
      ...(etag === undefined ? {} : { IfMatch: etag }),
    });
    return this.#unlessMissing(`get ${key}`, async () => {
      try {
        const answer = await this.#client.send(command);
        const body = answer.Body as Readable;
        // A connection that breaks before anybody reads is told to the reader, not to the process.
        body.on('error', () => undefined);
        return { head: headOf(answer), body };
      } catch (error) {
        if (statusOf(error) === 416) return 'outside';
        throw error;
      }
    });
  }

  /** What is not there is removed already. */
  async remove(key: string): Promise<void> {
    const command = new DeleteObjectCommand({ Bucket: this.#name, Key: key });
    await this.#unlessMissing(`remove ${key}`, () => this.#client.send(command));
  }

  /** Keys under a prefix in byte order. */
  async list(request: {
    prefix: string;
    after?: string;
    limit?: number;
  }): Promise<{ found: ListedObject[]; more: boolean }> {
    const command = new ListObjectsV2Command({
      ...{ Bucket: this.#name, Prefix: request.prefix },
      ...(request.after === undefined ? {} : { StartAfter: request.after }),
      ...(request.limit === undefined ? {} : { MaxKeys: request.limit }),
    });
    const answer = await guarded(`list ${request.prefix}`, () => this.#client.send(command));
    const found = (answer.Contents ?? []).map(({ Key = '', Size = 0, LastModified }) => ({
      ...{ key: Key, size: Size, modifiedMs: LastModified?.getTime() ?? 0 },
    }));
    return { found, more: answer.IsTruncated === true };
  }

  /** Begins an object in parts; invisible until `completeMultipart`. */
  async createMultipart({ key, contentType, metadata }: Described): Promise<MultipartName> {
    const command = new CreateMultipartUploadCommand({
      ...{ Bucket: this.#name, Key: key, ContentType: contentType },
      ...(metadata === undefined ? {} : { Metadata: metadata }),
    });
    const { UploadId: id = '' } = await guarded(`put ${key}`, () => this.#client.send(command));
    return { key, id };
  }

  /** @param number from 1 @returns the ETag of the part */
  async putPart({ key, id }: MultipartName, number: number, data: Uint8Array): Promise<string> {
    const command = new UploadPartCommand({
      ...{ Bucket: this.#name, Key: key, UploadId: id, PartNumber: number },
      ...{ Body: data, ContentLength: data.byteLength },
    });
    const { ETag: etag = '' } = await guarded(`put part ${number} of ${key}`, () => this.#client.send(command));
    return etag;
  }

  /** A part that is a stretch of another object; its bytes do not pass through here. @returns the ETag of the part */
  async copyPart({ key, id }: MultipartName, number: number, source: string, range?: ByteRange): Promise<string> {
    const command = new UploadPartCopyCommand({
      ...{ Bucket: this.#name, Key: key, UploadId: id, PartNumber: number },
      CopySource: `${this.#name}/${source.split('/').map(encodeURIComponent).join('/')}`,
      ...(range === undefined ? {} : { CopySourceRange: rangeHeader(range) }),
    });
    const answer = await guarded(`copy part ${number} of ${key}`, () => this.#client.send(command));
    return answer.CopyPartResult?.ETag ?? '';
  }

  /**
   * Makes the object where none is. `conflict` also when the upload is gone: an earlier try that seemed to fail may have
   * completed it.
   */
  completeMultipart(name: MultipartName, etags: readonly string[]): Promise<WriteOutcome> {
    const command = new CompleteMultipartUploadCommand({
      ...{ Bucket: this.#name, Key: name.key, UploadId: name.id },
      MultipartUpload: { Parts: etags.map((ETag, index) => ({ ETag, PartNumber: index + 1 })) },
      ...ABSENT,
    });
    return this.#conditional(`complete ${name.key}`, () => this.#client.send(command));
  }

  async abortMultipart({ key, id }: MultipartName): Promise<void> {
    const command = new AbortMultipartUploadCommand({ Bucket: this.#name, Key: key, UploadId: id });
    await this.#unlessMissing(`abort ${key}`, () => this.#client.send(command));
  }

  /** Objects in parts that were begun and not completed, with the instant of their last part or their beginning. */
  async *multiparts(prefix: string): AsyncGenerator<MultipartName & { readonly modifiedMs: number }> {
    let markers: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
    while (markers !== undefined) {
      const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
        ...{ Bucket: this.#name, Prefix: prefix },
        ...markers,
      });
      const page = await guarded(`list uploads under ${prefix}`, () => this.#client.send(command));
      for (const { Key: key = '', UploadId: id = '', Initiated } of page.Uploads ?? []) {
        const lastPartMs = await this.#lastPartMs({ key, id });
        yield { key, id, modifiedMs: Math.max(Initiated?.getTime() ?? 0, lastPartMs) };
      }
      const { IsTruncated, NextKeyMarker = '', NextUploadIdMarker = '' } = page;
      markers = IsTruncated ? { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker } : undefined;
    }
  }

  /** The newest of the first thousand parts: later ones only make an upload younger than it is taken to be. */
  async #lastPartMs({ key, id }: MultipartName): Promise<number> {
    const command = new ListPartsCommand({ Bucket: this.#name, Key: key, UploadId: id });
    const answer = await this.#unlessMissing(`list parts of ${key}`, () => this.#client.send(command));
    return Math.max(0, ...(answer?.Parts ?? []).map(({ LastModified }) => LastModified?.getTime() ?? 0));
  }

  close(): void {
    this.#client.destroy();
    this.#publicClient.destroy();
  }

  #conditional(what: string, send: () => Promise<unknown>): Promise<WriteOutcome> {
    return guarded(what, async () => {
      try {
        await send();
        return 'done';
      } catch (error) {
        const status = statusOf(error);
        if (status === 412) return 'refused';
        const gone = error instanceof Error && /^(NoSuchUpload|NoSuchKey)$/.test(error.name);
        if (status === 409 || gone) return 'conflict';
        throw error;
      }
    });
  }

  #unlessMissing<T>(what: string, send: () => Promise<T>): Promise<T | undefined> {
    return guarded(what, async () => {
      try {
        return await send();
      } catch (error) {
        const bucketMissing = error instanceof Error && error.name === 'NoSuchBucket';
        if (statusOf(error) === 404 && !bucketMissing) return undefined;
        throw error;
      }
    });
  }
}
