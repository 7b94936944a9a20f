/**
 * The scratch gateway: KV and queues of one plan over HTTP, for processors, which know neither the backend nor its
 * credentials. Every request carries the token of its job; what that does not allow gets 403.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { ErrorCode } from '../../shared/errors/codes.ts';
import { IsomorphError, unreachable } from '../../shared/errors/isomorph-error.ts';
import type { Kv } from '../../shared/scratch/kv/kv.ts';
import { type TellName, tellerOf } from '../../shared/scratch/names.ts';
import type { Queue, QueueMessage } from '../../shared/scratch/queue/queue.ts';
import { verifyToken } from '../../shared/scratch/token.ts';
import { type LeastRate, sentBody } from './body.ts';
import { decideScratch, type KvCall, type QueueCall } from './decide.ts';
import { discardRest, SHORT_LINGER_BYTES } from './discard-rest.ts';
import {
  documentOf,
  numberOf,
  parseAck,
  parseConsume,
  parseIncr,
  parseNack,
  parseTarget,
  valid,
} from './scratch-requests.ts';
import { RETRY_AFTER, Traffic } from './traffic.ts';

export interface ScratchHandlerOptions {
  /** Absent: this deployment has none, and its requests get ERR_UNIMPLEMENTED. */
  readonly kv?: Kv;
  readonly queue?: Queue;
  /** The key that tokens were signed with. */
  readonly secret: Uint8Array;
  readonly nowMs?: () => number;
  /** Told of defects; the answer is ERR_INTERNAL. */
  readonly onError?: (error: unknown) => void;
  /** Who may have how much of the gateway that it is mounted on. Default: a new one with the default limits. */
  readonly traffic?: Traffic;
  /** Of the body of a request. */
  readonly leastRate?: LeastRate;
}

/** A consumer that waits holds a connection: clients ask again (`docs/processor-contract.md`). */
export const MAX_WAIT_S = 20;

/** JSON around a value: base64 and the fields beside it. */
const MAX_DOCUMENT_BYTES = 64 * 1024;

const STATUS: Partial<Record<ErrorCode, number>> = {
  ERR_SCHEMA: 400,
  ERR_NOT_JSON: 400,
  ERR_RANGE: 400,
  ERR_TOKEN_REFUSED: 403,
  ERR_NOT_FOUND: 404,
  ERR_SLOW: 408,
  ERR_RECEIPT: 409,
  ERR_TOO_LARGE: 413,
  ERR_LIMIT: 413,
  ERR_BUSY: 429,
  ERR_UNIMPLEMENTED: 501,
  ERR_UNAVAILABLE: 503,
};

/** What goes back: bytes, a document, or nothing. */
type Answer = { readonly bytes: Uint8Array } | { readonly document: unknown } | undefined;

type ReadBody = (maxBytes: number) => Promise<Uint8Array>;

/** The whole body. What is over the limit is read no further. */
async function readBody(sent: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of sent) {
    size += chunk.byteLength;
    if (size > maxBytes) {
      throw new IsomorphError('ERR_TOO_LARGE', 'the body is too large', { expected: `at most ${maxBytes} bytes` });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A call, and how its audit facts tell names. */
type Told<Call> = Call & { readonly tell: TellName };

async function callKv(kv: Kv, { op, planId, key, query, tell }: Told<KvCall>, body: ReadBody): Promise<Answer> {
  switch (op) {
    case 'get': {
      const value = await kv.get({ planId, key });
      if (value === undefined) throw new IsomorphError('ERR_NOT_FOUND', 'no such key');
      return { bytes: value };
    }
    case 'put': {
      const ttlS = numberOf(query, 'ttl_s');
      const value = await body(kv.capabilities.maxValueBytes);
      await kv.put({ planId, key, value, tell, ...(ttlS === undefined ? {} : { ttlS }) });
      return undefined;
    }
    case 'delete':
      await kv.delete({ planId, key, tell });
      return undefined;
    case 'incr': {
      const { by, ttl_s: ttlS } = valid(parseIncr(documentOf(await body(MAX_DOCUMENT_BYTES))));
      const added = await kv.incr({
        ...{ planId, key, tell },
        ...(by === undefined ? {} : { by }),
        ...(ttlS === undefined ? {} : { ttlS }),
      });
      return { document: { value: added } };
    }
    default:
      return unreachable(op);
  }
}

const shown = ({ id, body, receiptHandle, deliveries, deadReason }: QueueMessage): Record<string, unknown> => ({
  id,
  body: Buffer.from(body).toString('base64'),
  receipt_handle: receiptHandle,
  deliveries,
  ...(deadReason === undefined ? {} : { dead_reason: deadReason }),
});

async function publish(queue: Queue, { planId, topic, query, tell }: Told<QueueCall>, body: ReadBody): Promise<Answer> {
  const idempotencyKey = query.get('idempotency_key') ?? undefined;
  const delayS = numberOf(query, 'delay_s');
  const id = await queue.publish({
    ...{ planId, topic, tell },
    body: await body(queue.capabilities.maxBodyBytes),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(delayS === undefined ? {} : { delayS }),
  });
  return { document: { id } };
}

async function consume(queue: Queue, { planId, topic, tell }: Told<QueueCall>, body: ReadBody): Promise<Answer> {
  const asked = valid(parseConsume(documentOf(await body(MAX_DOCUMENT_BYTES))));
  const messages = await queue.consume({
    ...{ planId, topic, tell },
    waitS: Math.min(asked.wait_s ?? 0, MAX_WAIT_S),
    ...(asked.max_messages === undefined ? {} : { maxMessages: asked.max_messages }),
    ...(asked.visibility_timeout_s === undefined ? {} : { visibilityTimeoutS: asked.visibility_timeout_s }),
  });
  return { document: { messages: messages.map(shown) } };
}

async function callQueue(queue: Queue, call: Told<QueueCall>, body: ReadBody): Promise<Answer> {
  const { op, planId, topic, tell } = call;
  switch (op) {
    case 'stats': {
      const { ready, inFlight, delayed, dead } = await queue.stats({ planId, topic });
      return { document: { ready, in_flight: inFlight, delayed, dead } };
    }
    case 'publish':
      return publish(queue, call, body);
    case 'consume':
      return consume(queue, call, body);
    case 'ack': {
      const { receipt_handle } = valid(parseAck(documentOf(await body(MAX_DOCUMENT_BYTES))));
      await queue.ack({ planId, topic, receiptHandle: receipt_handle });
      return undefined;
    }
    case 'nack': {
      const { receipt_handle, delay_s, reason } = valid(parseNack(documentOf(await body(MAX_DOCUMENT_BYTES))));
      await queue.nack({
        ...{ planId, topic, tell, receiptHandle: receipt_handle },
        ...(delay_s === undefined ? {} : { delayS: delay_s }),
        ...(reason === undefined ? {} : { reason }),
      });
      return undefined;
    }
    default:
      return unreachable(op);
  }
}

const tokenOf = (request: IncomingMessage): string =>
  /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';

type Called = Extract<ReturnType<typeof decideScratch>, { readonly ok: true }>['call'];

async function answerTo(call: Called, body: ReadBody, options: ScratchHandlerOptions): Promise<Answer> {
  const { kv, queue, secret } = options;
  const tell = tellerOf({ ...call, secret });
  if (call.primitive === 'kv' && kv !== undefined) return callKv(kv, { ...call, tell }, body);
  if (call.primitive === 'queue' && queue !== undefined) return callQueue(queue, { ...call, tell }, body);
  throw new IsomorphError('ERR_INTERNAL', `a call of ${call.primitive}, which this deployment has not`);
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Lets a call that may be made in when there is room for it, and answers it. */
async function serve({ request, response }: Exchange, traffic: Traffic, options: ScratchHandlerOptions): Promise<void> {
  const { kv, queue, secret, nowMs = Date.now, leastRate } = options;
  const grant = verifyToken(tokenOf(request), secret, nowMs());
  const { method = '', url = '' } = request;
  const target = parseTarget(url);
  const decision = decideScratch({ method, target, grant }, { kv: kv !== undefined, queue: queue !== undefined });
  if (!decision.ok) throw new IsomorphError(decision.fault.code, decision.fault.message);
  const admission = traffic.begin(request.socket, decision.call.executionId);
  if (!admission.ok)
    throw new IsomorphError(admission.code, 'too many requests are in flight: ask again a little later');
  const { passage } = admission;
  response.once('close', passage.end);
  await passage.pass(0);
  const body: ReadBody = (maxBytes) => readBody(sentBody(request, passage, leastRate), maxBytes);
  const answer = await answerTo(decision.call, body, options);
  await passage.pass(answer !== undefined && 'bytes' in answer ? answer.bytes.byteLength : 0);
  send(response, 200, answer);
}

function send(response: ServerResponse, status: number, answer: Answer, headers: Record<string, string> = {}): void {
  if (answer === undefined) {
    response.writeHead(204).end();
    return;
  }
  const [type, body] =
    'bytes' in answer
      ? (['application/octet-stream', answer.bytes] as const)
      : (['application/json', Buffer.from(JSON.stringify(answer.document))] as const);
  response.writeHead(status, {
    ...headers,
    'content-type': type,
    'content-length': body.byteLength,
    'cache-control': 'no-store',
  });
  response.end(body);
}

/** Asking again a little later may help. */
const isPassing = (error: unknown): boolean =>
  error instanceof IsomorphError && (error.code === 'ERR_BUSY' || error.code === 'ERR_UNAVAILABLE');

function sendError(response: ServerResponse, error: unknown, { onError }: ScratchHandlerOptions): void {
  const known = error instanceof IsomorphError ? error : undefined;
  // A backend's own words may hold what is nobody's business here: an address, a user.
  if (known === undefined || known.code === 'ERR_INTERNAL') onError?.(error);
  const { code, message, pointer, expected } = known?.toFault() ?? {
    code: 'ERR_INTERNAL' as const,
    message: 'a defect',
  };
  const document = { code, message, ...(pointer && { pointer }), ...(expected && { expected }) };
  send(response, STATUS[code] ?? 500, { document }, isPassing(error) ? RETRY_AFTER : {});
}

/** Answers everything below `SCRATCH_PATH`; mount it on a gateway (`services/gateway/artifact-server.ts`). */
export function scratchHandler(options: ScratchHandlerOptions): RequestListener {
  const traffic = options.traffic ?? new Traffic();
  return (request, response) => {
    serve({ request, response }, traffic, options).catch((error: unknown) => {
      if (response.headersSent || request.socket.destroyed) response.destroy();
      else sendError(response, error, options);
      discardRest(request, isPassing(error) ? SHORT_LINGER_BYTES : undefined);
    });
  };
}
