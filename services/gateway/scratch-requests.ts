/** What the gateway is asked: the request target, and the documents in bodies, as `docs/processor-contract.md` tells. */
import Type from 'typebox';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { type Validated, validator } from '../../shared/schema/validate.ts';
import { SCRATCH_PATH } from '../../shared/scratch/token.ts';

const closed = { additionalProperties: false } as const;

export const parseIncr = validator(
  Type.Object({ by: Type.Optional(Type.Integer()), ttl_s: Type.Optional(Type.Number()) }, closed),
  'ERR_SCHEMA',
);

export const parseConsume = validator(
  Type.Object(
    {
      max_messages: Type.Optional(Type.Integer()),
      visibility_timeout_s: Type.Optional(Type.Number()),
      wait_s: Type.Optional(Type.Number()),
    },
    closed,
  ),
  'ERR_SCHEMA',
);

export const parseAck = validator(Type.Object({ receipt_handle: Type.String() }, closed), 'ERR_SCHEMA');

export const parseNack = validator(
  Type.Object(
    {
      receipt_handle: Type.String(),
      delay_s: Type.Optional(Type.Number()),
      reason: Type.Optional(Type.String()),
    },
    closed,
  ),
  'ERR_SCHEMA',
);

/** The value of a validated document. @throws the first of its faults. */
export function valid<T>(validated: Validated<T>): T {
  if (validated.ok) return validated.value;
  const [first] = validated.faults;
  throw new IsomorphError(first?.code ?? 'ERR_SCHEMA', first?.message ?? 'the body is not usable', {
    ...(first?.pointer === undefined ? {} : { pointer: first.pointer }),
    ...(first?.expected === undefined ? {} : { expected: first.expected }),
  });
}

/** The JSON document of a body; an empty body is an empty document. @throws ERR_NOT_JSON */
export function documentOf(body: Uint8Array): unknown {
  if (body.byteLength === 0) return {};
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    throw new IsomorphError('ERR_NOT_JSON', 'the body is no JSON document', {}, cause);
  }
}

/** One request target below `SCRATCH_PATH`. */
export type Target =
  | { readonly primitive: 'kv'; readonly key: string; readonly query: URLSearchParams }
  | { readonly primitive: 'queue'; readonly topic: string; readonly action: string; readonly query: URLSearchParams };

/**
 * Keys are in the query, because no path can hold the keys `.` and `..`.
 * @returns undefined for what is no address of the gateway.
 */
export function parseTarget(target: string): Target | undefined {
  const [path = '', search = ''] = target.slice(SCRATCH_PATH.length).split('?', 2);
  const query = new URLSearchParams(search);
  const [primitive, topic = '', action = '', ...rest] = path.split('/');
  if (primitive === 'kv' && topic === '') return { primitive, key: query.get('key') ?? '', query };
  if (primitive === 'queue' && rest.length === 0) return { primitive, topic, action, query };
  return undefined;
}

/** A number of the query; absent is undefined. @throws ERR_SCHEMA */
export function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const value = Number(text);
  if (text !== '' && Number.isFinite(value)) return value;
  throw new IsomorphError('ERR_SCHEMA', `${name} is no number`, { pointer: `/${name}`, expected: 'a number' });
}
