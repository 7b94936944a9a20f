/** Tokens of the scratch gateway: what an execution may do, in the token itself and bound by an HMAC. */
import Type, { type Static } from 'typebox';
import { isSignature, signatureOf } from '../hash/signature.ts';
import { validator } from '../schema/validate.ts';

/** Where the gateway mounts scratch: what a token is good for lies below it. */
export const SCRATCH_PATH = '/scratch/v1/';

/** So that one can be found in a text and taken out of it (`shared/text/scrub-credentials.ts`). */
export const TOKEN_PREFIX = 'isoscratch_';

const GrantSchema = Type.Object(
  {
    plan_id: Type.String(),
    execution_id: Type.String(),
    /** Primitives that the registry file of the processor declares. */
    scratch: Type.Array(Type.Union([Type.Literal('kv'), Type.Literal('queue')])),
    /** Names of keys and topics that audit facts tell as they are; none when absent. `names.ts` has what it means. */
    clear_names: Type.Optional(Type.Union([Type.Literal('all'), Type.Array(Type.String())])),
    /** Unix seconds; the token is good before this instant. */
    expires_s: Type.Integer(),
  },
  { additionalProperties: false },
);

export type ScratchGrant = Static<typeof GrantSchema>;

const parseGrant = validator(GrantSchema, 'ERR_SCHEMA');

const signed = (payload: string, secret: Uint8Array): string =>
  signatureOf(`isomorph-scratch-1.${payload}`, secret, 'base64url');

export function signToken(grant: ScratchGrant, secret: Uint8Array): string {
  const payload = Buffer.from(JSON.stringify(grant)).toString('base64url');
  return `${TOKEN_PREFIX}${payload}.${signed(payload, secret)}`;
}

/** What a token allows, or undefined; why not is nobody's business. */
export function verifyToken(token: string, secret: Uint8Array, nowMs: number): ScratchGrant | undefined {
  if (!token.startsWith(TOKEN_PREFIX)) return undefined;
  const [payload = '', signature = ''] = token.slice(TOKEN_PREFIX.length).split('.');
  if (!isSignature(signature, signed(payload, secret))) return undefined;
  // What is signed was written by `signToken`, by this version or another.
  const grant = parseGrant(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
  return grant.ok && nowMs < grant.value.expires_s * 1_000 ? grant.value : undefined;
}
