import { BadInputError, type ProcessorContext, ProcessorError, runProcessor } from '../sdk/index.ts';
import { type Answer, answerJson } from './answer.ts';
import { complete } from './exchange.ts';
import { type ChatParams, readParams } from './params.ts';

const PROMPT_BYTES_MAX = 4 * 1024 * 1024;
/** Kept of the time until the deadline, for the outputs. */
const MARGIN_MS = 2_000;
const PROGRESS_CHARACTERS = 1_000;

async function textInput(ctx: ProcessorContext, name: string): Promise<string | undefined> {
  if (!ctx.inputNames.includes(name)) return undefined;
  const input = ctx.input(name);
  if (input.size > PROMPT_BYTES_MAX) {
    throw new BadInputError(`input "${name}" has ${input.size} bytes; at most ${PROMPT_BYTES_MAX} are allowed`, {
      code: 'ERR_TOO_LARGE',
    });
  }
  const bytes = await input.bytes();
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new BadInputError(`input "${name}" is not UTF-8`, { cause });
  }
}

/** What the plan asks, then the prompt of an artifact, then the text it is about. */
async function messagesOf(ctx: ProcessorContext, params: ChatParams): Promise<Record<string, string>[]> {
  const parts = [params.prompt, await textInput(ctx, 'prompt'), await textInput(ctx, 'context')];
  const content = parts.filter((part) => part !== undefined && part !== '').join('\n\n');
  if (content === '') throw new BadInputError('there is no prompt: neither in params.prompt nor in an input');
  const user = { role: 'user', content };
  return params.system === undefined ? [user] : [{ role: 'system', content: params.system }, user];
}

/** The key, when it can stand in a header: fetch would quote it in its complaint otherwise. */
function keyOf(ctx: ProcessorContext): string {
  const key = ctx.secret('OPENAI_API_KEY');
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new BadInputError(
    'the secret OPENAI_API_KEY holds characters that no key has, such as a space or a line feed',
    {
      code: 'ERR_MISSING_SECRET',
    },
  );
}

function requestBody(params: ChatParams, messages: readonly Record<string, string>[]): Record<string, unknown> {
  return {
    model: params.model,
    messages,
    ...params.sampling,
    ...(params.json ? { response_format: { type: 'json_object' } } : {}),
    ...(params.stream ? { stream: true, stream_options: { include_usage: true } } : {}),
  };
}

/** Tells progress each thousand characters: how long an answer becomes, nobody knows. */
function progressOf(ctx: ProcessorContext): (answer: Answer) => void {
  let told = 0;
  return ({ content }) => {
    if (content.length < told + PROGRESS_CHARACTERS) return;
    told = content.length;
    ctx.progress(0.5, `${told} characters so far`);
  };
}

/** llm/chat@1: the answer of a language model to one prompt. */
await runProcessor(async (ctx) => {
  const params = readParams(ctx.params);
  const messages = await messagesOf(ctx, params);
  const key = keyOf(ctx);
  ctx.progress(0.1, `asking ${params.model}`);
  const leftMs = ctx.deadline.getTime() - Date.now() - MARGIN_MS;
  const answer = await complete({
    baseUrl: params.baseUrl,
    key,
    body: requestBody(params, messages),
    signal: AbortSignal.any([ctx.signal, AbortSignal.timeout(Math.max(1, Math.min(params.timeoutMs, leftMs)))]),
    onPiece: progressOf(ctx),
  });
  const json = answerJson(answer, params.model);
  // Artifacts are for everyone to read. A server that knows the key can say it.
  if (json.includes(key) || answer.content.includes(key))
    throw new ProcessorError('the answer repeats the key, so it was not written');
  await ctx.output('answer.txt').write(answer.content);
  await ctx.output('chat.json').write(json);
  const tokens = answer.usage === undefined ? 'unknown usage' : `${answer.usage.total_tokens} tokens`;
  ctx.progress(1, `${answer.content.length} characters, ${tokens}`);
});
