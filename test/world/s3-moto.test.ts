import { available, startMoto } from '../harness/servers/index.ts';
import { S3_ANY_KEYS, s3Conformance } from './s3-store.ts';

const UNSIGNED = 'moto takes any signature, expired ones too; Ceph checks them';

// moto is the second server because its multipart, listing and error answers differ from Ceph's.
s3Conformance('moto', await available('moto'), async () => ({ ...(await startMoto()), ...S3_ANY_KEYS }), {
  'expired, altered, foreign and unsigned URLs are refused with 403': UNSIGNED,
  'a URL for reading does not write or delete': UNSIGNED,
  'a URL takes one body, and answers 412 to a second; without its headers it takes none': UNSIGNED,
  'a URL for writing does not read, and writes only what it was signed for': UNSIGNED,
});
