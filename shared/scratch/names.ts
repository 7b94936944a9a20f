/**
 * How audit facts tell keys and topics. A processor chooses them, so one of them may be a secret that it was given, and
 * facts become events, which stay for ever. `docs/secrets.md` says how an owner finds a name by its hash.
 */
import { signatureOf } from '../hash/signature.ts';

/** Names that are told as they are: every one, or these alone. */
export type ClearNames = 'all' | string[];

/** How a fact tells a name. */
export type TellName = (name: string) => string;

/** Told by who has no key to hash with. */
export const WITHHELD_NAME = '[withheld]';

/** Each plan has a key of its own: who is given one learns nothing of other plans, and no name is the same in two. */
const planKey = (planId: string, secret: Uint8Array): Uint8Array =>
  Buffer.from(signatureOf(`isomorph-scratch-names-1.${planId}`, secret, 'hex'), 'hex');

/**
 * The same name of the same plan is the same text; without the key no guess at it can be checked.
 * @param secret the gateway's key
 */
export const keyedName = (planId: string, name: string, secret: Uint8Array): string =>
  `hmac-sha256:${signatureOf(name, planKey(planId, secret), 'hex')}`;

export interface TellerOptions {
  readonly planId: string;
  /** The gateway's key. */
  readonly secret: Uint8Array;
  /** Default: none. */
  readonly clear?: ClearNames | undefined;
}

export function tellerOf({ planId, secret, clear = [] }: TellerOptions): TellName {
  if (clear === 'all') return (name) => name;
  return (name) => (clear.includes(name) ? name : keyedName(planId, name, secret));
}
