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

/** Where a parameter starts, its name and `=`: also inside JSON, HTML and the query of another URL. */
const HEAD = new RegExp(`(?:^|[?&;]|%26|%3f|\\\\u0026)(?:${SECRET_PARAMETERS})(?:=|%3d|\\\\u003d)`, 'gi');
/** What its value ends before. */
const END = /%26|[&;,\s"'<>()[\]{}\\]/g;

/** As `shared/scratch/token.ts` makes them. What is no token is taken as a whole too: looking again in it would cost its square. */
const TOKEN = /(isoscratch_)[\w-]+(\.[\w-]+)?/g;

const REDACTED = 'REDACTED';

/** Each value is looked for on its own: one expression with a repeated group in it overflows on a value of 16 MiB. */
function withoutSignatures(text: string): string {
  let clean = '';
  let copied = 0;
  HEAD.lastIndex = 0;
  while (HEAD.test(text)) {
    const start = HEAD.lastIndex;
    END.lastIndex = start;
    const end = END.exec(text)?.index ?? text.length;
    if (end === start) continue;
    clean += `${text.slice(copied, start)}${REDACTED}`;
    copied = end;
    HEAD.lastIndex = end;
  }
  return clean + text.slice(copied);
}

/**
 * Any text with the signatures of presigned URLs, ours and those of S3, and scratch tokens replaced: a URL still tells
 * what it was for, and no longer works.
 */
export const scrubCredentials = (text: string): string =>
  withoutSignatures(text).replace(TOKEN, (all: string, prefix: string, signature?: string) =>
    signature === undefined ? all : `${prefix}${REDACTED}`,
  );
