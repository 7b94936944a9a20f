import { BadInputError, ProcessorError, TransientError } from '../sdk/index.ts';

export interface Usage {
  readonly completion_tokens: number;
  readonly prompt_tokens: number;
  readonly total_tokens: number;
}

/** What the model answered, without what differs from one call to the next (id, time). */
export interface Answer {
  readonly content: string;
  /** Why the model stopped, as the server says: stop, length, content_filter, … */
  readonly finishReason: string | undefined;
  readonly model: string | undefined;
  readonly refusal: string | undefined;
  readonly systemFingerprint: string | undefined;
  readonly usage: Usage | undefined;
}

export const NO_ANSWER: Answer = {
  content: '',
  finishReason: undefined,
  model: undefined,
  refusal: undefined,
  systemFingerprint: undefined,
  usage: undefined,
};

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** Parses JSON of the server; its text is not quoted, since it can be long. */
export function parseObject(text: string, what: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ProcessorError(`${what} is not JSON`, { cause });
  }
  if (isObject(value)) return value;
  throw new ProcessorError(`${what} is no JSON object`);
}

function usageOf(value: unknown): Usage | undefined {
  if (!isObject(value)) return undefined;
  const { completion_tokens: completion, prompt_tokens: prompt, total_tokens: total } = value;
  if (typeof prompt !== 'number') return undefined;
  const completed = typeof completion === 'number' ? completion : 0;
  return {
    completion_tokens: completed,
    prompt_tokens: prompt,
    total_tokens: typeof total === 'number' ? total : prompt + completed,
  };
}

/** What a server says of an error in its JSON, in one line. */
export function errorText(value: unknown): string {
  const message = isObject(value) ? value.message : value;
  const text = typeof message === 'string' && message !== '' ? message : 'no reason given';
  return text.replace(/\s+/g, ' ').slice(0, 500);
}

/** Faults of the server pass; faults of the request stay. */
export const isPassing = (status: number): boolean => status >= 500 || [408, 409, 425, 429].includes(status);

/** Some servers answer 200 and then tell an error, whole or in the middle of a stream. */
function throwReported({ error }: Json): void {
  if (error === undefined || error === null) return;
  const { code, type } = isObject(error) ? error : {};
  const message = `the server reported an error: ${errorText(error)}`;
  const lasting = typeof code === 'number' ? code >= 400 && !isPassing(code) : type === 'invalid_request_error';
  throw lasting ? new BadInputError(message) : new TransientError(message, { code: 'ERR_UNAVAILABLE' });
}

function firstChoice({ choices }: Json): Json | undefined {
  const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
  return isObject(choice) ? choice : undefined;
}

/**
 * The answer after one more piece of it: a chunk of a stream (`delta`), or the whole answer as its only piece (`message`).
 * Throws when the piece tells an error.
 */
export function withPiece(answer: Answer, piece: Json, part: 'delta' | 'message'): Answer {
  throwReported(piece);
  const choice = firstChoice(piece);
  const words = isObject(choice?.[part]) ? choice[part] : {};
  const refusal = textOf(words.refusal);
  return {
    content: answer.content + (textOf(words.content) ?? ''),
    finishReason: textOf(choice?.finish_reason) ?? answer.finishReason,
    model: textOf(piece.model) ?? answer.model,
    refusal: refusal === undefined ? answer.refusal : (answer.refusal ?? '') + refusal,
    systemFingerprint: textOf(piece.system_fingerprint) ?? answer.systemFingerprint,
    usage: usageOf(piece.usage) ?? answer.usage,
  };
}

/** The answer of a body that is no stream. */
export function wholeAnswer(body: Json): Answer {
  const answer = withPiece(NO_ANSWER, body, 'message');
  if (firstChoice(body) === undefined) throw new ProcessorError('the answer has no choices: is this a chat API?');
  return answer;
}

/** What `chat.json` holds: keys in order, so that the same answer gives the same bytes. */
export function answerJson(answer: Answer, requestedModel: string): string {
  return JSON.stringify({
    answer: answer.content,
    finish_reason: answer.finishReason ?? null,
    model: answer.model ?? null,
    refusal: answer.refusal ?? null,
    requested_model: requestedModel,
    system_fingerprint: answer.systemFingerprint ?? null,
    usage: answer.usage ?? null,
  });
}
