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
  const hosts = new Set(urls.filter((url) => URL.canParse(url)).map((url) => new URL(url).host));
  return (text) => {
    let clean = text;
    for (const url of urls) clean = clean.replaceAll(url, '[url]');
    if (job.scratch !== undefined) clean = clean.replaceAll(job.scratch.token, '[token]');
    clean = clean.replace(ANY_URL, (url) => (URL.canParse(url) && hosts.has(new URL(url).host) ? '[url]' : url));
    for (const value of [...secretValues].flatMap(viewsOf)) clean = clean.replaceAll(value, '[secret]');
    return clean;
  };
}

/** How a value may stand in a text: as it is, and as JSON, URLs and base64 hold it. */
const viewsOf = (value: string): string[] => [
  value,
  JSON.stringify(value).slice(1, -1),
  encodeURIComponent(value),
  Buffer.from(value).toString('base64'),
];

/** One report as one line: whatever the message holds, JSON keeps it on that line. */
export function reportLine(report: Report, scrub: Scrub): string {
  const message = report.message === undefined ? undefined : scrub(report.message).slice(0, MESSAGE_CHARACTERS_MAX);
  return `${JSON.stringify({ ...report, message })}\n`;
}
