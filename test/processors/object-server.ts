import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface StoredBody {
  readonly body: Buffer;
  readonly contentType: string;
}

/** A store behind presigned URLs, as a processor meets it: a real socket, signatures that must match, limits. */
export interface ObjectServer {
  readonly origin: string;
  /** What was uploaded, by name. */
  readonly uploads: ReadonlyMap<string, StoredBody>;
  /** Requests as `METHOD name`, in order. */
  readonly requests: readonly string[];
  offer(name: string, body: Uint8Array | string): string;
  accept(name: string, contentType: string, maxBytes: number): string;
  /** As S3 does it: takes one body of this name, sent with `if-none-match: *`. */
  acceptOnce(name: string): void;
  /** Stores the next body of this name and answers with this status all the same: the answer of success is lost. */
  loseNextAnswer(name: string, status: number): void;
  /** Answers the next requests for this name with these statuses before any other. */
  failNext(name: string, ...statuses: number[]): void;
  /** Leaves requests for this name without an answer; resolves when the first one has come. */
  stall(name: string): Promise<void>;
  close(): Promise<void>;
}

const SIGNATURE = 'sig=5ecre75167a7ure';

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function answer(response: ServerResponse, status: number, body: Uint8Array | string = ''): void {
  response.writeHead(status);
  response.end(body);
}

const refuse = (response: ServerResponse, status: number, code: string): void =>
  answer(response, status, JSON.stringify({ code, message: 'refused' }));

export async function openObjectServer(): Promise<ObjectServer> {
  const offers = new Map<string, Uint8Array | string>();
  const accepts = new Map<string, { contentType: string; maxBytes: number }>();
  const failures = new Map<string, number[]>();
  const onlyOnce = new Set<string>();
  const lostAnswers = new Map<string, number>();
  const stalls = new Map<string, () => void>();
  const uploads = new Map<string, StoredBody>();
  const requests: string[] = [];

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://store');
    const name = url.pathname.slice(1);
    requests.push(`${request.method} ${name}`);
    const body = await bodyOf(request);
    const stalled = stalls.get(name);
    if (stalled !== undefined) return stalled();
    const failure = failures.get(name)?.shift();
    if (failure !== undefined) return answer(response.setHeader('retry-after', '0'), failure);
    const [offer, accept] = [offers.get(name), accepts.get(name)];
    if (url.search !== `?${SIGNATURE}`) return refuse(response, 403, 'ERR_URL_REFUSED');
    if (request.method === 'GET' && offer !== undefined) return answer(response, 200, offer);
    if (request.method !== 'PUT' || accept === undefined) return refuse(response, 404, 'ERR_NOT_FOUND');
    const contentType = request.headers['content-type'] ?? '';
    if (contentType !== accept.contentType) return refuse(response, 403, 'ERR_URL_REFUSED');
    if (body.byteLength > accept.maxBytes) return refuse(response, 413, 'ERR_OUTPUT_TOO_LARGE');
    if (onlyOnce.has(name)) {
      if (request.headers['if-none-match'] !== '*') return answer(response, 403, '<Error/>');
      if (uploads.has(name)) return answer(response, 412, '<Error/>');
    }
    uploads.set(name, { body, contentType });
    const instead = lostAnswers.get(name);
    lostAnswers.delete(name);
    return answer(response, instead ?? 200);
  }

  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const urlOf = (name: string): string => `${origin}/${name}?${SIGNATURE}`;
  return {
    origin,
    uploads,
    requests,
    offer(name, body) {
      offers.set(name, body);
      return urlOf(name);
    },
    accept(name, contentType, maxBytes) {
      accepts.set(name, { contentType, maxBytes });
      onlyOnce.delete(name);
      return urlOf(name);
    },
    acceptOnce(name) {
      onlyOnce.add(name);
      uploads.delete(name);
    },
    loseNextAnswer: (name, status) => void lostAnswers.set(name, status),
    failNext: (name, ...statuses) => void failures.set(name, statuses),
    stall: (name) => new Promise((resolve) => stalls.set(name, resolve)),
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
