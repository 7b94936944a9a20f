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
import { decideScratch, type KvCall, type QueueCall } from './decide.ts';
import { discardRest } from './discard-rest.ts';
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

export interface ScratchHandlerOptions {
  /** Absent: this deployment has none, and its requests get ERR_UNIMPLEMENTED. */
  readonly kv?: Kv;
  readonly queue?: Queue;
  /** The key that tokens were signed with. */
  readonly secret: Uint8Array;
  readonly nowMs?: () => number;
  /** Told of defects; the answer is ERR_INTERNAL. */
  readonly onError?: (error: unknown) => void;
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
  ERR_RECEIPT: 409,
  ERR_TOO_LARGE: 413,
  ERR_UNIMPLEMENTED: 501,
  ERR_UNAVAILABLE: 503,
};

/** What goes back: bytes, a document, or nothing. */
type Answer = { readonly bytes: Uint8Array } | { readonly document: unknown } | undefined;

type ReadBody = (maxBytes: number) => Promise<Uint8Array>;

/** The whole body. What is over the limit is read no further. */
async function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
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

async function answerTo(request: IncomingMessage, options: ScratchHandlerOptions): Promise<Answer> {
  const { kv, queue, secret, nowMs = Date.now } = options;
  const grant = verifyToken(tokenOf(request), secret, nowMs());
  const { method = '', url = '' } = request;
  const target = parseTarget(url);
  const decision = decideScratch({ method, target, grant }, { kv: kv !== undefined, queue: queue !== undefined });
  if (!decision.ok) throw new IsomorphError(decision.fault.code, decision.fault.message);
  const { call } = decision;
  const tell = tellerOf({ ...call, secret });
  const body: ReadBody = (maxBytes) => readBody(request, maxBytes);
  if (call.primitive === 'kv' && kv !== undefined) return callKv(kv, { ...call, tell }, body);
  if (call.primitive === 'queue' && queue !== undefined) return callQueue(queue, { ...call, tell }, body);
  throw new IsomorphError('ERR_INTERNAL', `a call of ${call.primitive}, which this deployment has not`);
}

function send(response: ServerResponse, status: number, answer: Answer): void {
  if (answer === undefined) {
    response.writeHead(204).end();
    return;
  }
  const [type, body] =
    'bytes' in answer
      ? (['application/octet-stream', answer.bytes] as const)
      : (['application/json', Buffer.from(JSON.stringify(answer.document))] as const);
  response.writeHead(status, { 'content-type': type, 'content-length': body.byteLength, 'cache-control': 'no-store' });
  response.end(body);
}

function sendError(response: ServerResponse, error: unknown, { onError }: ScratchHandlerOptions): void {
  const known = error instanceof IsomorphError ? error : undefined;
  // A backend's own words may hold what is nobody's business here: an address, a user.
  if (known === undefined || known.code === 'ERR_INTERNAL') onError?.(error);
  const { code, message, pointer, expected } = known?.toFault() ?? {
    code: 'ERR_INTERNAL' as const,
    message: 'a defect',
  };
  const document = { code, message, ...(pointer && { pointer }), ...(expected && { expected }) };
  send(response, STATUS[code] ?? 500, { document });
}

/** Answers everything below `SCRATCH_PATH`; mount it on a gateway (`services/gateway/artifact-server.ts`). */
export function scratchHandler(options: ScratchHandlerOptions): RequestListener {
  return (request, response) => {
    answerTo(request, options).then(
      (answer) => send(response, 200, answer),
      (error: unknown) => {
        if (response.headersSent || request.socket.destroyed) response.destroy();
        else sendError(response, error, options);
        discardRest(request);
      },
    );
  };
}
