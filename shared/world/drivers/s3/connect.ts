/** The SDK's client, set up for servers of all kinds. */
import { S3Client } from '@aws-sdk/client-s3';
import type { BucketLocation } from './location.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const CONNECTIONS_MAX = 128;
const CONNECT_TIMEOUT_MS = 5000;
/** Until the head of an answer: a server may take long to put a large object together. */
const ANSWER_TIMEOUT_MS = 120_000;
/** The first try and two more, as the SDK sees fit: throttling, 5xx, connections that broke. */
const ATTEMPTS_MAX = 3;

/** @param endpoint undefined: AWS */
export function connect(
  at: BucketLocation,
  endpoint: string | undefined,
  credentials: Credentials | undefined,
): S3Client {
  // The notice is for those who choose the version of Node; users of a command line are not asked.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  return new S3Client({
    region: at.region,
    forcePathStyle: at.pathStyle,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    maxAttempts: ATTEMPTS_MAX,
    // Signed hashes protect what we send. The SDK's own checksums halve the rate, many servers do not know them, and in a
    // presigned URL they would bind the CRC of an empty body.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      httpAgent: { keepAlive: true, maxSockets: CONNECTIONS_MAX },
      httpsAgent: { keepAlive: true, maxSockets: CONNECTIONS_MAX },
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: ANSWER_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
  });
}
