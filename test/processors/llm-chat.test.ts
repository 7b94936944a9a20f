import * as assert from 'uvu/assert';
import { answerOf } from '../../processors/llm_chat/exchange.ts';
import { suite } from '../harness/suite.ts';
import {
  allowing,
  type ChatServer,
  delta,
  event,
  json,
  KEY,
  openChatServer,
  stream,
  usage,
} from './llm-chat-server.ts';
import { type Call, type RegisteredEnd, runRegistered } from './run-registered.ts';

const test = suite('llm/chat');
const REF = 'llm/chat@1';
const MESSAGE = { role: 'user', content: 'Say hello.' };

let chat: ChatServer;
test.before(async () => {
  chat = await openChatServer();
});
test.after(() => chat.close());

async function ask(call: Call = {}): Promise<RegisteredEnd> {
  chat.requests.length = 0;
  const ended = await runRegistered(REF, {
    secrets: { OPENAI_API_KEY: KEY },
    change: allowing(chat.baseUrl),
    ...call,
    params: { base_url: chat.baseUrl, model: 'test-model', prompt: 'Say hello.', ...call.params },
  });
  for (const [path, body] of ended.outputs) assert.not.ok(body.includes(KEY), path);
  assert.not.ok(ended.everything.includes(KEY), ended.everything);
  return ended;
}

const textOf = ({ outputs }: RegisteredEnd, path: string): string => outputs.get(path)?.toString() ?? '';

const whole = (content: unknown, more: Record<string, unknown> = {}): unknown => ({
  id: 'chatcmpl-1',
  created: 1_790_000_000,
  model: 'test-model-2026',
  system_fingerprint: 'fp_1',
  choices: [{ index: 0, message: { role: 'assistant', content, ...more }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7, details: { cached_tokens: 0 } },
});

test('a whole answer becomes a text and a record, without what differs from call to call', async () => {
  chat.reply = json(200, whole('Hello there.'));
  const ended = await ask({ params: { stream: false, temperature: 0.5, seed: 7, max_tokens: 50, system: 'Be kind.' } });
  assert.is(ended.code, 0, ended.everything);
  assert.is(textOf(ended, 'answer.txt'), 'Hello there.');
  assert.is(
    textOf(ended, 'chat.json'),
    '{"answer":"Hello there.","finish_reason":"stop","model":"test-model-2026","refusal":null,"requested_model":"test-model",' +
      '"system_fingerprint":"fp_1","usage":{"completion_tokens":2,"prompt_tokens":5,"total_tokens":7}}',
  );
  assert.equal(chat.requests, [
    {
      url: '/v1/chat/completions',
      authorization: `Bearer ${KEY}`,
      body: {
        model: 'test-model',
        messages: [{ role: 'system', content: 'Be kind.' }, MESSAGE],
        temperature: 0.5,
        seed: 7,
        max_tokens: 50,
      },
    },
  ]);
});

const WORDS = ['Grüße', ', ', '世界', ' 🐧\n', '"quoted" \\ data: [DONE]'];
const streamed = (newline: string): string =>
  [
    `: a comment to keep the line alive${newline}${newline}`,
    event({ choices: [{ index: 0, delta: { role: 'assistant', content: '' } }] }, newline),
    ...WORDS.map((word) => event(delta(word), newline)),
    event(delta('', 'stop'), newline),
    event(usage(11, 5), newline),
    event('[DONE]', newline),
  ].join('');

/** A response whose body comes in pieces of these sizes, over and over: over HTTP, pieces can arrive together. */
function inPieces(text: string, sizes: readonly number[]): Response {
  const bytes = new TextEncoder().encode(text);
  let [offset, index] = [0, 0];
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const size = sizes[index % sizes.length] ?? 1;
        controller.enqueue(bytes.slice(offset, offset + size));
        offset += size;
        index += 1;
        if (offset >= bytes.length) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

test('a stream gives the same answer, wherever its chunks are cut', async () => {
  for (const newline of ['\n', '\r\n', '\r']) {
    // Every border inside a character, a line end and a field occurs among these.
    for (const sizes of [[1], [2], [3, 1, 2], [7, 5], [1000], [100_000]]) {
      const lengths: number[] = [];
      const answer = await answerOf(inPieces(streamed(newline), sizes), ({ content }) => lengths.push(content.length));
      assert.equal(answer, {
        content: WORDS.join(''),
        finishReason: 'stop',
        model: 'test-model-2026',
        refusal: undefined,
        systemFingerprint: 'fp_1',
        usage: { completion_tokens: 5, prompt_tokens: 11, total_tokens: 16 },
      });
      assert.equal(
        lengths,
        [...lengths].sort((a, b) => a - b),
        'it grows',
      );
      assert.is(lengths.length, WORDS.length + 3);
    }
  }
});

test('a stream is read over HTTP, and usage asked for', async () => {
  chat.reply = stream(streamed('\r\n'), [3, 1, 2]);
  const ended = await ask();
  assert.is(ended.code, 0, ended.everything);
  assert.is(textOf(ended, 'answer.txt'), WORDS.join(''));
  assert.equal(JSON.parse(textOf(ended, 'chat.json')).usage.total_tokens, 16);
  assert.equal(chat.requests[0]?.body.stream_options, { include_usage: true });
});

test('a stream may end without [DONE], when the model said why it stopped', async () => {
  chat.reply = stream(event(delta('cut', 'length')), [9]);
  const ended = await ask();
  assert.is(ended.code, 0, ended.everything);
  assert.is(JSON.parse(textOf(ended, 'chat.json')).finish_reason, 'length');
});

test('a server that does not stream is understood all the same', async () => {
  chat.reply = json(200, whole('All at once.'));
  const ended = await ask({ params: { stream: true } });
  assert.is(textOf(ended, 'answer.txt'), 'All at once.', ended.everything);
});

test('a refusal is an answer without text', async () => {
  chat.reply = json(200, whole(null, { refusal: 'I would rather not.' }));
  const ended = await ask({ params: { stream: false } });
  assert.is(ended.code, 0, ended.everything);
  assert.is(textOf(ended, 'answer.txt'), '');
  assert.is(JSON.parse(textOf(ended, 'chat.json')).refusal, 'I would rather not.');
});

test('the prompt is what the plan says, then the inputs', async () => {
  chat.reply = json(200, whole('{}'));
  const ended = await ask({
    params: { prompt: 'Sum up:', json: true },
    inputs: { context: 'Penguins swim.', prompt: 'Be brief.' },
  });
  assert.is(ended.code, 0, ended.everything);
  assert.equal(chat.requests[0]?.body.messages, [{ role: 'user', content: 'Sum up:\n\nBe brief.\n\nPenguins swim.' }]);
  assert.equal(chat.requests[0]?.body.response_format, { type: 'json_object' });
});

test('what can never succeed is exit 65', async () => {
  const bad = async (expected: RegExp, call: Call = {}): Promise<void> => {
    const ended = await ask(call);
    assert.is(ended.code, 65, ended.everything);
    assert.is(ended.error?.retryable, false);
    assert.match(ended.error?.message ?? '', expected);
    assert.is(ended.outputs.size, 0);
  };
  chat.reply = json(401, { error: { message: `Incorrect API key provided: ${KEY}.`, type: 'invalid_request_error' } });
  await bad(/^HTTP 401: Incorrect API key provided: \[secret\]\.$/);
  chat.reply = json(400, { error: { message: 'context too long' } });
  await bad(/^HTTP 400: context too long$/);
  chat.reply = (response) => void response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>nothing</h1>');
  await bad(/^HTTP 404: no reason given$/);
  chat.reply = (response) => void response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end();
  await bad(/^HTTP 307: redirects are not followed/);
  chat.reply = stream(event({ error: { message: 'no such model', type: 'invalid_request_error' } }), [50]);
  await bad(/^the server reported an error: no such model$/);
  await bad(/there is no prompt/, { params: { prompt: '' } });
  assert.is(chat.requests.length, 0);
  await bad(/"context" is not UTF-8/, { inputs: { context: Uint8Array.of(0x61, 0xff) } });
});

test('what passes is exit 75, and says when to come back', async () => {
  const passing = async (code: string, expected: RegExp, call: Call = {}): Promise<void> => {
    const ended = await ask(call);
    assert.is(ended.code, 75, ended.everything);
    assert.equal([ended.error?.code, ended.error?.retryable], [code, true]);
    assert.match(ended.error?.message ?? '', expected);
    assert.is(ended.outputs.size, 0);
  };
  chat.reply = json(429, { error: { message: 'Rate limit reached' } }, { 'retry-after': '20' });
  await passing('ERR_UNAVAILABLE', /^HTTP 429: Rate limit reached; Retry-After: 20 s$/);
  chat.reply = json(503, {}, { 'retry-after': 'Sun, 22 Nov 2026 19:00:00 GMT' });
  await passing('ERR_UNAVAILABLE', /^HTTP 503: no reason given; Retry-After: Sun, 22 Nov 2026 19:00:00 GMT$/);
  chat.reply = stream(event(delta('half an ans')), [6], 'break');
  await passing('ERR_UNAVAILABLE', /^asking http/);
  chat.reply = stream(event(delta('half an ans')), [6]);
  await passing('ERR_UNAVAILABLE', /the stream ended in the middle of the answer, after 11 characters/);
  chat.reply = stream(event(delta('half')) + event({ error: { message: 'overloaded', code: 502 } }), [11]);
  await passing('ERR_UNAVAILABLE', /the server reported an error: overloaded/);
  chat.reply = (response) => void response.destroy();
  await passing('ERR_UNAVAILABLE', /^asking http/);
  chat.reply = () => undefined;
  await passing('ERR_TIMEOUT', /no end within the time allowed/, { params: { timeout_s: 0.2 } });
  chat.reply = async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(event(delta('and then silence')));
  };
  await passing('ERR_TIMEOUT', /no end within the time allowed/, { params: { timeout_s: 0.5 } });
});

test('a server that speaks something else is a failure', async () => {
  for (const reply of [
    (response: Parameters<typeof chat.reply>[0]) =>
      void response.writeHead(200, { 'content-type': 'text/html' }).end('hi'),
    json(200, { hello: 'world' }),
    json(200, ['hello']),
    stream(event('{"cut'), [4]),
  ]) {
    chat.reply = reply;
    const ended = await ask();
    assert.is(ended.code, 1, ended.everything);
    assert.is(ended.outputs.size, 0);
  }
});

test('a key that a server repeats is not written down', async () => {
  chat.reply = json(200, whole(`The key is ${KEY}.`));
  const ended = await ask({ params: { stream: false } });
  assert.is(ended.code, 1, ended.everything);
  assert.match(ended.error?.message ?? '', /repeats the key/);
});

test('an unusable key is named, never shown', async () => {
  const missing = await ask({ secrets: {} });
  assert.is(missing.error?.code, 'ERR_MISSING_SECRET');
  const broken = await ask({ secrets: { OPENAI_API_KEY: `${KEY}\n` } });
  assert.equal([broken.code, broken.error?.code], [65, 'ERR_MISSING_SECRET']);
  assert.is(chat.requests.length, 0);
});

test('the key never travels in the open, whatever the registry allows', async () => {
  for (const base_url of [
    'http://api.example.com/v1',
    'https://me:pw@api.example.com/v1',
    'https://a.example/v1?x=1',
  ]) {
    const ended = await ask({ params: { base_url }, change: allowing(base_url) });
    assert.is(ended.code, 65, ended.everything);
    assert.is(ended.error?.code, 'ERR_PARAMS');
  }
});

test.run();
