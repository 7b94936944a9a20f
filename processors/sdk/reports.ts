import type { Job } from './job.ts';

export type Report =
  | { readonly isomorph: 'progress'; readonly fraction?: number; readonly message?: string }
  | {
      readonly isomorph: 'error';
      readonly code: string;
      readonly message: string;
      readonly retryable?: boolean;
    };

const MESSAGE_CHARACTERS_MAX = 2000;
const ANY_URL = /https?:\/\/[^\s"'<>\\)]+/gi;

export type Scrub = (text: string) => string;

/** Removes the credentials of a job from a text: every URL on a host of the job's URLs, and the secrets read so far. */
export function scrubOf(job: Job, secretValues: ReadonlySet<string>): Scrub {
  const urls = [
    ...Object.values(job.inputs).map((input) => input.get_url),
    ...Object.values(job.outputs).map((output) => output.put_url),
  ];
  const views = new Map<string, readonly string[]>();
  const hosts = new Set(urls.filter((url) => URL.canParse(url)).map((url) => new URL(url).host));
  return (text) => {
    let clean = text;
    for (const url of urls) clean = clean.replaceAll(url, '[url]');
    if (job.scratch !== undefined) clean = clean.replaceAll(job.scratch.token, '[token]');
    clean = clean.replace(ANY_URL, (url) => (URL.canParse(url) && hosts.has(new URL(url).host) ? '[url]' : url));
    for (const value of secretValues) {
      const known = views.get(value) ?? viewsOf(value);
      views.set(value, known);
      for (const view of known) clean = clean.replaceAll(view, '[secret]');
    }
    return clean;
  };
}

/** What a shorter value looks like elsewhere is too likely to be part of ordinary words. */
const LEAST_ENCODED = 4;
const LEAST_LINE = 8;

/** base64 of a value behind 0 to 2 bytes of something else: the characters that depend on the value alone. */
const base64Of = (bytes: Buffer): string[] =>
  [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.byteLength) * 8) / 6));
  });

/** How a value may stand in a text: as it is, by its lines, and as JSON, URLs, hex and base64 hold it. */
function viewsOf(value: string): readonly string[] {
  if (value.length < LEAST_ENCODED) return [value];
  const bytes = Buffer.from(value);
  const hex = bytes.toString('hex');
  const base64 = base64Of(bytes).flatMap((text) => [text, text.replaceAll('+', '-').replaceAll('/', '_')]);
  const encoded = [JSON.stringify(value).slice(1, -1), encodeURIComponent(value), hex, hex.toUpperCase(), ...base64];
  const lines = value.split(/\r?\n/).filter((line) => line.length >= LEAST_LINE);
  return [...new Set([value, ...encoded, ...lines])];
}

/** One report as one line: whatever the message holds, JSON keeps it on that line. */
export function reportLine(report: Report, scrub: Scrub): string {
  const message = report.message === undefined ? undefined : scrub(report.message).slice(0, MESSAGE_CHARACTERS_MAX);
  const code = report.isomorph === 'error' ? { code: scrub(report.code) } : {};
  return `${JSON.stringify({ ...report, ...code, message })}\n`;
}
