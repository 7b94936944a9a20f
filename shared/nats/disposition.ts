import type { Fault } from '../errors/isomorph-error.ts';

/** What becomes of a message. */
export type Disposition =
  /** Everything it caused is stored. */
  | { readonly kind: 'done' }
  /** Not yet: deliver it again after `delayMs`. */
  | { readonly kind: 'later'; readonly delayMs: number }
  | Dead;

/** Never: what is known of the message is kept with the reason. */
export interface Dead {
  readonly kind: 'dead';
  readonly fault: Fault;
  readonly planId?: string;
}

export const DONE: Disposition = { kind: 'done' };

/** A message that will never be handled, filed under its plan when it names one. */
export const giveUp = (reason: Fault, planId?: string): Dead => ({
  kind: 'dead',
  fault: reason,
  ...(planId === undefined ? {} : { planId }),
});
