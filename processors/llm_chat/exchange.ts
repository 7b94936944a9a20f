import { createParser } from 'eventsource-parser';
import { BadInputError, ProcessorError, TransientError } from '../sdk/index.ts';
import { type Answer, errorText, isPassing, NO_ANSWER, parseObject, wholeAnswer, withPiece } from './answer.ts';

/** Of a whole answer, decompressed. */
const RESPONSE_BYTES_MAX = 32 * 1024 * 1024;
const ERROR_BYTES_MAX = 64 * 1024;

export interface Exchange {
  readonly baseUrl: string;
  readonly key: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** Ends the exchange; its reason is a `TimeoutError` when time ran out. */
  readonly signal: AbortSignal;
  /** Told the answer so far, whenever a piece of a stream has come. */
  readonly onPiece: (answer: Answer) => void;
}

/** Messages of fetch can quote headers, and so the key: only its error code is passed on. */
function fault(what: string, thrown: unknown, signal: AbortSignal): Error {
  if (thrown instanceof ProcessorError) return thrown;
  if (signal.aborted) return new TransientError(`${what}: no end within the time allowed`, { code: 'ERR_TIMEOUT' });
  const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  const reason = typeof code === 'string' ? code : 'network error';
  return new TransientError(`${what}: ${reason}`, { code: 'ERR_UNAVAILABLE' });
}

/** The body as text, as it arrives. */
async function* textOf(response: Response, bytesMax: number): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8');
  let received = 0;
  for await (const chunk of response.body ?? []) {
    received += chunk.byteLength;
    if (received > bytesMax) throw new ProcessorError(`the server sent more than ${bytesMax} bytes`);
    yield decoder.decode(chunk, { stream: true });
  }
  yield decoder.decode();
}

async function wholeText(response: Response, bytesMax: number): Promise<string> {
  let text = '';
  for await (const part of textOf(response, bytesMax)) text += part;
  return text;
}

/** What the server says of when to come back: seconds or a date, and nothing else. */
function retryAfter(response: Response): string {
  const value = response.headers.get('retry-after')?.trim() ?? '';
  if (/^\d{1,9}$/.test(value)) return `; Retry-After: ${value} s`;
  return /^[A-Za-z0-9:, ]{10,40}$/.test(value) ? `; Retry-After: ${value}` : '';
}

async function refusal(response: Response): Promise<ProcessorError> {
  const { status } = response;
  if (status >= 300 && status < 400) {
    return new BadInputError(`HTTP ${status}: redirects are not followed, the key is for params.base_url alone`);
  }
  let reason = 'no reason given';
  try {
    reason = errorText(parseObject(await wholeText(response, ERROR_BYTES_MAX), 'the reason').error);
  } catch {
    // The status says enough; a proxy's page of HTML or a body that breaks off adds nothing.
  }
  const message = `HTTP ${status}: ${reason}`;
  return isPassing(status)
    ? new TransientError(`${message}${retryAfter(response)}`, { code: 'ERR_UNAVAILABLE' })
    : new BadInputError(message);
}

async function streamedAnswer(response: Response, onPiece: Exchange['onPiece']): Promise<Answer> {
  let answer = NO_ANSWER;
  let done = false;
  const parser = createParser({
    maxBufferSize: RESPONSE_BYTES_MAX,
    onEvent({ data }) {
      if (done || data.trim() === '') return;
      if (data.trim() === '[DONE]') {
        done = true;
        return;
      }
      answer = withPiece(answer, parseObject(data, 'a piece of the stream'), 'delta');
      onPiece(answer);
    },
  });
  for await (const text of textOf(response, RESPONSE_BYTES_MAX)) {
    parser.feed(text);
    if (done) break;
  }
  // Some servers leave [DONE] out; none leaves out why the model stopped.
  if (answer.finishReason !== undefined || (done && answer.content !== '')) return answer;
  throw new TransientError(`the stream ended in the middle of the answer, after ${answer.content.length} characters`, {
    code: 'ERR_UNAVAILABLE',
  });
}

/** The answer that a response of status 200 holds, streamed or whole. */
export async function answerOf(response: Response, onPiece: Exchange['onPiece']): Promise<Answer> {
  const type = (response.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase();
  // A server that does not stream answers whole, whatever was asked.
  if (type === 'text/event-stream') return streamedAnswer(response, onPiece);
  if (type !== 'application/json') {
    throw new ProcessorError(`the server answered ${type === '' ? 'without a content type' : type}, not JSON`);
  }
  return wholeAnswer(parseObject(await wholeText(response, RESPONSE_BYTES_MAX), 'the answer'));
}

/**
 * One chat completion, streamed or not.
 * @throws BadInputError when the same request would be refused again; TransientError for faults that pass; ProcessorError
 *   when the server does not speak the protocol
 */
export async function complete(exchange: Exchange): Promise<Answer> {
  const { baseUrl, key, body, signal, onPiece } = exchange;
  const what = `asking ${baseUrl}`;
  try {
    const response = await fetch(`${baseUrl}/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        accept: body.stream === true ? 'text/event-stream, application/json' : 'application/json',
      },
      body: JSON.stringify(body),
      redirect: 'manual',
      signal,
    });
    if (response.ok) return await answerOf(response, onPiece);
    throw await refusal(response);
  } catch (thrown) {
    throw fault(what, thrown, signal);
  }
}
