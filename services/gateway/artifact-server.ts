/**
 * The gateway of the `file` driver: serves signed URLs over HTTP, on loopback unless told otherwise. It knows no other
 * way in: whatever is not signed, not signed by us, altered or expired gets the same 403 and learns nothing. What is
 * mounted beside the artifacts checks credentials of its own.
 */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import type { ErrorCode } from '../../shared/errors/codes.ts';
import { IsomorphError, unreachable } from '../../shared/errors/isomorph-error.ts';
import { type FileArtifactStore, openFileStore } from '../../shared/world/drivers/file/file.ts';
import {
  checkSecret,
  type GetGrant,
  type PutGrant,
  type UrlGrant,
  verifyUrl,
} from '../../shared/world/drivers/file/signed-url.ts';
import { answered, LEAST_RATE, type LeastRate, sentBody } from './body.ts';
import { partyOf, refusedUpload } from './decide.ts';
import { discardRest, SHORT_LINGER_BYTES } from './discard-rest.ts';
import { parseRangeHeader } from './range.ts';
import { type Passage, RETRY_AFTER, Traffic } from './traffic.ts';

export interface GatewayOptions {
  /**
   * The store that it serves, or the folder of one. The gateway does not close it. Without one it serves only what is
   * mounted: another store signs URLs of its own.
   */
  readonly store?: FileArtifactStore | { readonly root: string };
  /** What answers requests whose target begins with the key, such as `/scratch/v1/`. */
  readonly mounts?: Readonly<Record<string, RequestListener>>;
  /** The `gatewaySecret` that URLs were signed with; at least 16 bytes. */
  readonly secret: Uint8Array;
  /** Default: any free port. */
  readonly port?: number;
  readonly host?: string;
  readonly nowMs?: () => number;
  /** Who may have how much of it; shared with what is mounted. Default: a new one with the default limits. */
  readonly traffic?: Traffic;
  /** Of the body of an upload. */
  readonly leastRate?: LeastRate;
  /** A connection on which a request has not come whole by then, its body apart, is ended. Default 10 s. */
  readonly headMs?: number;
}

export interface Gateway {
  /** Base URL, without a last slash. */
  readonly url: string;
  /** Ends open connections too: a client that was cut off asks again. */
  close(): Promise<void>;
}

/** A silent connection is dropped after this long; a slow one may take as long as it moves. */
const IDLE_MS = 120_000;
const HEAD_MS = 10_000;

const STATUS: Partial<Record<ErrorCode, number>> = {
  ERR_URL_REFUSED: 403,
  ERR_NOT_FOUND: 404,
  ERR_SLOW: 408,
  ERR_OUTPUT_TOO_LARGE: 413,
  ERR_RANGE: 416,
  ERR_BUSY: 429,
  ERR_UNAVAILABLE: 503,
};

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly store: FileArtifactStore | undefined;
}

function answerError({ request, response }: Exchange, code: ErrorCode, headers: Record<string, string> = {}): void {
  const body = JSON.stringify({ code });
  response.writeHead(STATUS[code] ?? 500, {
    ...headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
  discardRest(request, code === 'ERR_BUSY' || code === 'ERR_UNAVAILABLE' ? SHORT_LINGER_BYTES : undefined);
}

interface Serving extends Exchange {
  readonly store: FileArtifactStore;
  readonly passage: Passage;
  readonly leastRate: LeastRate;
}

async function serveGet(exchange: Serving, grant: GetGrant): Promise<void> {
  const { request, response, store, passage } = exchange;
  const stat = await store.stat(grant.path);
  if (stat === undefined) return answerError(exchange, 'ERR_NOT_FOUND');
  const range = parseRangeHeader(request.headers.range, stat.size);
  if (range === 'unsatisfiable') {
    return answerError(exchange, 'ERR_RANGE', { 'content-range': `bytes */${stat.size}` });
  }
  const { body } = await store.get({ worldPath: grant.path, ...(range === undefined ? {} : { range }) });
  response.writeHead(range === undefined ? 200 : 206, {
    'content-type': stat.contentType,
    'content-length': range?.length ?? stat.size,
    ...(range && { 'content-range': `bytes ${range.offset}-${range.offset + range.length - 1}/${stat.size}` }),
    'accept-ranges': 'bytes',
    etag: `"${stat.cid}"`,
    'cache-control': 'private, immutable',
    // Artifacts are data of strangers: a browser must not run one as a page of this origin.
    'content-security-policy': 'sandbox',
    'x-content-type-options': 'nosniff',
  });
  await pipeline(Readable.from(answered(body, passage), { objectMode: false }), response);
}

async function servePut(exchange: Serving, grant: PutGrant): Promise<void> {
  const { request, response, store, passage, leastRate } = exchange;
  const { 'content-type': contentType, 'content-length': contentLength } = request.headers;
  const code = refusedUpload({ contentType, contentLength }, grant);
  if (code !== undefined) return answerError(exchange, code);
  if (request.headers.expect !== undefined) response.writeContinue();
  const { uploadId, maxBytes, path } = grant;
  const body = sentBody(request, passage, leastRate);
  const { size } = await store.receiveUpload({ uploadId, worldPath: path, body, maxBytes });
  const answer = JSON.stringify({ size });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) });
  response.end(answer);
}

function serveGrant(exchange: Serving, grant: UrlGrant): Promise<void> {
  switch (grant.method) {
    case 'GET':
      return serveGet(exchange, grant);
    case 'PUT':
      return servePut(exchange, grant);
    default:
      return unreachable(grant);
  }
}

interface Served extends Exchange {
  readonly traffic: Traffic;
  readonly leastRate: LeastRate;
}

async function serve(exchange: Served, grant: UrlGrant | undefined): Promise<void> {
  const { store, request, response, traffic } = exchange;
  if (store === undefined || grant === undefined) return answerError(exchange, 'ERR_URL_REFUSED');
  const admission = traffic.begin(request.socket, partyOf(grant));
  if (!admission.ok) return answerError(exchange, admission.code, { ...RETRY_AFTER, connection: 'close' });
  const { passage } = admission;
  response.once('close', passage.end);
  await passage.pass(0);
  await serveGrant({ ...exchange, store, passage }, grant);
}

function onFailure(exchange: Exchange, error: unknown): void {
  const { request, response } = exchange;
  // Half an answer, or nobody to answer to: all that is left is to hang up.
  if (response.headersSent || request.socket.destroyed) response.destroy();
  else answerError(exchange, error instanceof IsomorphError ? error.code : 'ERR_INTERNAL');
}

async function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') {
    throw new IsomorphError('ERR_INTERNAL', 'the gateway listens on no port');
  }
  return address;
}

/**
 * Starts the gateway.
 * @throws IsomorphError ERR_CONFIG for a short secret; ERR_UNAVAILABLE when the port is taken
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { secret, port = 0, host = '127.0.0.1', nowMs = Date.now, headMs = HEAD_MS } = options;
  const { traffic = new Traffic(), leastRate = LEAST_RATE } = options;
  checkSecret(secret);
  const mounts = Object.entries(options.mounts ?? {});
  const { store: given } = options;
  const store = given !== undefined && 'root' in given ? await openFileStore(pathToFileURL(given.root)) : given;

  const handle = (request: IncomingMessage, response: ServerResponse & { req: IncomingMessage }): void => {
    const mounted = mounts.find(([prefix]) => request.url?.startsWith(prefix));
    if (mounted !== undefined) {
      mounted[1](request, response);
      return;
    }
    const exchange = { request, response, store, traffic, leastRate };
    const grant = verifyUrl(request.method ?? '', request.url ?? '', secret, nowMs());
    serve(exchange, grant).catch((error: unknown) => onFailure(exchange, error));
  };
  // No limit on a whole request: an upload may take as long as its execution. `timeout` ends silent ones.
  const timeouts = { requestTimeout: 0, headersTimeout: headMs, connectionsCheckingInterval: headMs / 4 };
  const server = createServer(timeouts, handle);
  server.timeout = IDLE_MS;
  server.on('connection', (socket: Socket) => traffic.opened(socket));
  server.on('checkContinue', handle);

  const address = await listen(server, port, host).catch((cause: unknown) => {
    throw new IsomorphError('ERR_UNAVAILABLE', `the artifact gateway cannot listen on ${host}:${port}`, {}, cause);
  });
  const shownHost = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `http://${shownHost}:${address.port}`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error === undefined ? resolve() : reject(error)));
        server.closeAllConnections();
      }),
  };
}
