/**
 * Presigned URLs and scratch tokens are credentials: these take what makes them so out of anything that is logged, stored
 * or shown.
 */

const SECRET_PARAMETERS = [
  'x-isomorph-signature',
  'x-amz-signature',
  'x-amz-credential',
  'x-amz-security-token',
  'awsaccesskeyid',
  'signature',
].join('|');

/** Where a parameter starts, its name and `=`, and its value: also inside JSON, HTML and the query of another URL. */
const START = '(^|[?&;]|%26|%3f|\\\\u0026)';
const VALUE = '(?:(?!%26)[^&;,\\s"\'<>()\\[\\]{}\\\\])+';
const SECRET = new RegExp(`${START}((?:${SECRET_PARAMETERS})(?:=|%3d|\\\\u003d))${VALUE}`, 'gi');

/** As `shared/scratch/token.ts` makes them. What is no token is taken as a whole too: looking again in it would cost its square. */
const TOKEN = /(isoscratch_)[\w-]+(\.[\w-]+)?/g;

const REDACTED = 'REDACTED';

/**
 * Any text with the signatures of presigned URLs, ours and those of S3, and scratch tokens replaced: a URL still tells
 * what it was for, and no longer works.
 */
export const scrubCredentials = (text: string): string =>
  text
    .replace(SECRET, `$1$2${REDACTED}`)
    .replace(TOKEN, (all: string, prefix: string, signature?: string) =>
      signature === undefined ? all : `${prefix}${REDACTED}`,
    );
