/** What the gateway does with a request, decided by its head alone. Pure. */
import type { ErrorCode } from '../../shared/errors/codes.ts';
import { type Fault, fault } from '../../shared/errors/isomorph-error.ts';
import type { ClearNames } from '../../shared/scratch/names.ts';
import type { ScratchGrant } from '../../shared/scratch/token.ts';
import type { PutGrant, UrlGrant } from '../../shared/world/drivers/file/signed-url.ts';
import type { Target } from './scratch-requests.ts';

type KvOp = 'get' | 'put' | 'delete' | 'incr';
type QueueOp = 'stats' | 'publish' | 'consume' | 'ack' | 'nack';

/** Maps, since what is looked up is a user's text. */
const KV_OPS: ReadonlyMap<string, KvOp> = new Map([
  ['GET', 'get'],
  ['PUT', 'put'],
  ['DELETE', 'delete'],
  ['POST', 'incr'],
]);

/** By method and action of the path; `stats` has none. */
const QUEUE_OPS: ReadonlyMap<string, QueueOp> = new Map([
  ['GET ', 'stats'],
  ['POST publish', 'publish'],
  ['POST consume', 'consume'],
  ['POST ack', 'ack'],
  ['POST nack', 'nack'],
]);

interface Addressed {
  readonly planId: string;
  readonly executionId: string;
  readonly query: URLSearchParams;
  /** Names that the audit facts of this call tell as they are. */
  readonly clear: ClearNames;
}

export type KvCall = Addressed & { readonly primitive: 'kv'; readonly op: KvOp; readonly key: string };
export type QueueCall = Addressed & {
  readonly primitive: 'queue';
  readonly op: QueueOp;
  readonly topic: string;
};

export type ScratchDecision =
  | { readonly ok: true; readonly call: KvCall | QueueCall }
  | { readonly ok: false; readonly fault: Fault };

const refused = (code: ErrorCode, message: string): ScratchDecision => ({ ok: false, fault: fault(code, message) });
const UNKNOWN_CALL = refused('ERR_NOT_FOUND', 'the scratch gateway has no such call');

/**
 * Which call of scratch a request is, if it may be made.
 * @param grant of the request's token; undefined: expired, altered or not of this gateway
 * @param offered the primitives of this deployment
 */
export function decideScratch(
  { method, target, grant }: { method: string; target: Target | undefined; grant: ScratchGrant | undefined },
  offered: Readonly<Record<'kv' | 'queue', boolean>>,
): ScratchDecision {
  if (grant === undefined) return refused('ERR_TOKEN_REFUSED', 'the token is expired, altered or not of this gateway');
  if (target === undefined) return UNKNOWN_CALL;
  const { primitive, query } = target;
  if (!grant.scratch.includes(primitive)) {
    return refused('ERR_TOKEN_REFUSED', `the registry file of this processor does not list ${primitive}`);
  }
  if (!offered[primitive]) return refused('ERR_UNIMPLEMENTED', `this deployment has no ${primitive}`);
  const { plan_id: planId, execution_id: executionId, clear_names: clear = [] } = grant;
  if (target.primitive === 'kv') {
    const op = KV_OPS.get(method);
    if (op === undefined) return UNKNOWN_CALL;
    const isSensitive = query.get('sensitive') === 'true';
    return {
      ok: true,
      call: { primitive: 'kv', op, planId, executionId, query, key: target.key, clear: isSensitive ? [] : clear },
    };
  }
  const op = QUEUE_OPS.get(`${method} ${target.action}`);
  if (op === undefined) return UNKNOWN_CALL;
  return { ok: true, call: { primitive: 'queue', op, planId, executionId, query, topic: target.topic, clear } };
}

/** Whose use of the gateway a signed URL is: of the execution that it was made for, or else of its own. */
export const partyOf = (grant: UrlGrant): string =>
  (grant.method === 'PUT' ? grant.uploadId : grant.readerId) || `${grant.path} ${grant.expiresS}`;

/** Media types differ in case and in blanks around parameters without meaning another thing. */
const mediaType = (text: string): string =>
  text
    .toLowerCase()
    .split(';')
    .map((part) => part.trim())
    .join(';');

/** Why the body of an upload is not read; undefined when it is. Its size is counted again as it flows. */
export function refusedUpload(
  given: { readonly contentType: string | undefined; readonly contentLength: string | undefined },
  grant: Pick<PutGrant, 'contentType' | 'maxBytes'>,
): ErrorCode | undefined {
  if (given.contentType === undefined || mediaType(given.contentType) !== mediaType(grant.contentType)) {
    return 'ERR_URL_REFUSED';
  }
  return Number(given.contentLength ?? 0) > grant.maxBytes ? 'ERR_OUTPUT_TOO_LARGE' : undefined;
}
