/** What URLs of AWS services have in common. Pure. */

export const REGION = /^[a-z0-9-]{1,40}$/;

/** The address of a server that is not AWS, without a last slash; undefined for what is none. */
export function plainEndpoint(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url !== undefined && url.username === '' && url.search === '' && url.hash === '';
  return isPlain && /^https?:$/.test(url.protocol) ? url.href.replace(/\/$/, '') : undefined;
}
