import { type Fault, fault, toFault } from '../../shared/errors/isomorph-error.ts';
import { canonicalBytes } from '../../shared/hash/canonical.ts';
import { type Cid, cidOf } from '../../shared/hash/cid.ts';
import { isPlanId } from '../../shared/ids/ids.ts';
import { PLAN_LIMITS } from '../../shared/plan/plan.ts';
import { readJson } from '../../shared/schema/json-text.ts';

/** A command that names a plan; whether the plan is any good is decided later. */
export interface Submission {
  readonly planId: string;
  readonly document: Record<string, unknown>;
  /** Canonical form of the document (RFC 8785): what "the same body" means. */
  readonly body: Uint8Array;
  readonly cid: Cid;
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly fault: Fault; readonly planId: string | undefined };

const refuse = (reason: Fault, planId?: string): Parsed<never> => ({ ok: false, fault: reason, planId });

const decoder = new TextDecoder('utf-8', { fatal: true });

/** The plan that a refused text speaks of, so that whoever sent it finds the refusal. */
function namedIn(text: string): string | undefined {
  try {
    const { plan_id: planId } = JSON.parse(text) as { plan_id?: unknown };
    return isPlanId(planId) ? planId : undefined;
  } catch {
    // It is no JSON, or null: it speaks of none.
    return undefined;
  }
}

function parseObject(data: Uint8Array): Parsed<Record<string, unknown>> {
  let text: string;
  try {
    text = decoder.decode(data);
  } catch {
    return refuse(fault('ERR_NOT_JSON', 'it is not UTF-8', { pointer: '', expected: 'one JSON object in UTF-8' }));
  }
  const read = readJson(text);
  if (!read.ok) {
    const [first = fault('ERR_NOT_JSON', 'it cannot be read')] = read.faults;
    const isJson = first.code !== 'ERR_NOT_JSON';
    return refuse(isJson ? first : { ...first, expected: 'one JSON object in UTF-8' }, namedIn(text));
  }
  const { value } = read;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return { ok: true, value: value as Record<string, unknown> };
  }
  return refuse(fault('ERR_SCHEMA', 'the command is no object', { pointer: '', expected: 'a JSON object' }));
}

function parsePlanId(object: Record<string, unknown>): Parsed<string> {
  if (isPlanId(object.plan_id)) return { ok: true, value: object.plan_id };
  const expected = 'a string of the form [a-z0-9][a-z0-9_-]{0,62}';
  return refuse(fault('ERR_PLAN_ID', 'the plan_id is missing or malformed', { pointer: '/plan_id', expected }));
}

/** The plan that a command speaks of; undefined when it names none. Asked of every command as it comes, so no more is looked at. */
export function planOfCommand(data: Uint8Array): string | undefined {
  try {
    return namedIn(decoder.decode(data));
  } catch {
    // It is not UTF-8.
    return undefined;
  }
}

/** `plans.submit`. Every refusal here means that there is no plan to reject: the command goes to DEAD. */
export function parseSubmission(data: Uint8Array): Parsed<Submission> {
  const object = parseObject(data);
  if (!object.ok) return object;
  const planId = parsePlanId(object.value);
  if (!planId.ok) return planId;
  let body: Uint8Array;
  try {
    body = canonicalBytes(object.value);
  } catch (error) {
    return refuse(toFault(error), planId.value);
  }
  if (body.byteLength > PLAN_LIMITS.bytes) {
    const expected = `at most ${PLAN_LIMITS.bytes} bytes in canonical form`;
    return refuse(
      fault('ERR_TOO_LARGE', `the plan has ${body.byteLength} bytes`, { pointer: '', expected }),
      planId.value,
    );
  }
  return { ok: true, value: { planId: planId.value, document: object.value, body, cid: cidOf(body) } };
}

/** `plans.cancel`: `{"plan_id": "…"}`. */
export function parseCancel(data: Uint8Array): Parsed<string> {
  const object = parseObject(data);
  return object.ok ? parsePlanId(object.value) : object;
}
