import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Processor } from '../../shared/plan/registry.ts';

export interface ChatRequest {
  readonly url: string;
  readonly authorization: string | undefined;
  readonly body: Record<string, unknown>;
}

export type Reply = (response: ServerResponse) => Promise<void> | void;

/** A server that speaks the chat completions protocol as far as a test tells it to. */
export interface ChatServer {
  readonly baseUrl: string;
  readonly requests: ChatRequest[];
  /** How the next requests are answered. */
  reply: Reply;
  close(): Promise<void>;
}

async function requestOf(request: IncomingMessage): Promise<ChatRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = JSON.parse(Buffer.concat(chunks).toString());
  return { url: request.url ?? '', authorization: request.headers.authorization, body };
}

export async function openChatServer(): Promise<ChatServer> {
  const requests: ChatRequest[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      requests.push(await requestOf(request));
      await chat.reply(response);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const chat: ChatServer = {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    reply: (response) => void response.writeHead(500).end(),
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return chat;
}

export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Reply =>
  (response) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

const written = (response: ServerResponse, bytes: Buffer): Promise<void> =>
  new Promise((resolve) => response.write(bytes, () => resolve()));

/** Sends a stream in pieces of these sizes, over and over, each as a chunk of its own; then ends it, or breaks it off. */
export const stream =
  (text: string, sizes: readonly number[], ending: 'end' | 'break' = 'end'): Reply =>
  async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    const bytes = Buffer.from(text);
    for (let offset = 0, index = 0; offset < bytes.length; index += 1) {
      const size = sizes[index % sizes.length] ?? 1;
      await written(response, bytes.subarray(offset, offset + size));
      offset += size;
    }
    if (ending === 'end') response.end();
    else response.destroy();
  };

export const event = (data: unknown, newline = '\n'): string =>
  `data: ${typeof data === 'string' ? data : JSON.stringify(data)}${newline}${newline}`;

export const delta = (content: string, finishReason: string | null = null): unknown => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1_790_000_000,
  model: 'test-model-2026',
  system_fingerprint: 'fp_1',
  choices: [{ index: 0, delta: { content }, finish_reason: finishReason }],
});

export const usage = (prompt: number, completion: number): unknown => ({
  model: 'test-model-2026',
  choices: [],
  usage: { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion },
});

export const KEY = 'sk-canary-4f1c7e90b2d84a6f';

/** The registry file of an operator who allows the server of this test. */
export const allowing =
  (baseUrl: string) =>
  (processor: Processor): Processor => {
    const changed = structuredClone(processor);
    const { properties } = changed.inputs.params as { properties: { base_url: { enum: string[] } } };
    properties.base_url.enum.push(baseUrl);
    return changed;
  };
