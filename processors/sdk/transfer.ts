import { setTimeout as delay } from 'node:timers/promises';
import { ProcessorError, TransientError } from './errors.ts';
import type { JobInput, JobOutput } from './job.ts';

const TRIES = 3;
const BACKOFF_MS = 200;

/** The code of a refusal when its body names none (S3 answers in XML). */
const CODE_BY_STATUS: Readonly<Record<number, string>> = {
  403: 'ERR_URL_REFUSED',
  404: 'ERR_INPUT_MISSING',
  409: 'ERR_IMMUTABLE',
  412: 'ERR_IMMUTABLE',
  413: 'ERR_OUTPUT_TOO_LARGE',
};

/** The messages of fetch hold addresses, so only its error code is passed on. */
function causeCode(thrown: unknown): string {
  const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' ? code : 'network error';
}

async function refusal(action: string, response: Response): Promise<ProcessorError> {
  const body = await response.text().catch(() => '');
  const code = /"code"\s*:\s*"([A-Z][A-Z0-9_]{2,63})"/.exec(body)?.[1] ?? CODE_BY_STATUS[response.status];
  const message = `${action} was refused with HTTP ${response.status}`;
  return new ProcessorError(message, code === undefined ? {} : { code });
}

/** 501 says that the backend does not offer it: asking again changes nothing. 409: another try is still under way. */
const isPassing = (status: number, isConditional: boolean): boolean =>
  (status >= 500 && status !== 501) || status === 408 || status === 429 || (isConditional && status === 409);

/** In all, for a gateway that says that this execution has too much in flight. */
const BUSY_MS = 60_000;
const RETRY_AFTER_MOST_S = 10;

/** Waits as long as the gateway asks for; false when it has been waited for long enough. */
async function waitForRoom(response: Response, sinceMs: number, signal: AbortSignal): Promise<boolean> {
  await response.body?.cancel();
  if (performance.now() - sinceMs > BUSY_MS) return false;
  const afterS = Number(response.headers.get('retry-after') ?? 1);
  await delay(1_000 * (afterS >= 0 && afterS <= RETRY_AFTER_MOST_S ? afterS : RETRY_AFTER_MOST_S), undefined, {
    signal,
  });
  return true;
}

/** Too many requests of this execution: nothing was done, so that asking again is no second time. */
async function fetchWithRoom(url: string, init: RequestInit, signal: AbortSignal): Promise<Response> {
  const sinceMs = performance.now();
  for (;;) {
    const response = await fetch(url, { ...init, redirect: 'error', signal });
    if (response.status !== 429 || !(await waitForRoom(response, sinceMs, signal))) return response;
  }
}

/**
 * One request, tried again on passing faults where `isRepeatable` says that it may happen twice. Throws `ProcessorError`
 * with the code of a refusal, and `TransientError` when there was no answer.
 */
export async function request(
  action: string,
  url: string,
  init: RequestInit,
  signal: AbortSignal,
  isRepeatable = true,
): Promise<Response> {
  const tries = isRepeatable ? TRIES : 1;
  const isConditional = new Headers(init.headers).has('if-none-match');
  let last = 'no answer';
  for (let attempt = 1; attempt <= tries; attempt += 1) {
    if (attempt > 1) await delay(BACKOFF_MS * attempt, undefined, { signal });
    try {
      const response = await fetchWithRoom(url, init, signal);
      if (response.ok) return response;
      // An earlier try has arrived, though its answer has not.
      if (isConditional && response.status === 412 && attempt > 1) return response;
      if (!isPassing(response.status, isConditional)) throw await refusal(action, response);
      last = `HTTP ${response.status}`;
      await response.body?.cancel();
    } catch (thrown) {
      if (thrown instanceof ProcessorError) throw thrown;
      last = causeCode(thrown);
    }
  }
  const often = tries === 1 ? '' : ` ${tries} times`;
  throw new TransientError(`${action} failed${often}: ${last}`, { code: 'ERR_UNAVAILABLE' });
}

/**
 * The bytes of an input, as they arrive; ends in `TransientError` when the body breaks off or is not `size` bytes long.
 */
export async function* download(name: string, input: JobInput, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const response = await request(`reading input "${name}"`, input.get_url, {}, signal);
  let received = 0;
  try {
    for await (const chunk of response.body ?? []) {
      received += chunk.byteLength;
      yield chunk;
    }
  } catch (thrown) {
    throw new TransientError(`reading input "${name}" broke off after ${received} bytes: ${causeCode(thrown)}`);
  }
  if (received !== input.size) {
    throw new TransientError(`input "${name}" has ${input.size} bytes, but ${received} arrived`);
  }
}

/** Uploads the whole body of an output with the content type its URL was made for. */
export async function upload(
  name: string,
  output: JobOutput,
  body: Uint8Array<ArrayBuffer>,
  signal: AbortSignal,
): Promise<void> {
  if (body.byteLength > output.max_bytes) {
    throw new ProcessorError(`output "${name}" has ${body.byteLength} bytes; at most ${output.max_bytes} are allowed`, {
      code: 'ERR_OUTPUT_TOO_LARGE',
    });
  }
  const headers = { ...output.put_headers, 'content-type': output.content_type };
  const init = { method: 'PUT', headers, body };
  const response = await request(`writing output "${name}"`, output.put_url, init, signal);
  await response.body?.cancel();
}
