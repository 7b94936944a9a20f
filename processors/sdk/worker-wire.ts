/** The worker contract as this SDK speaks it (docs/worker-contract.md). Pure. */

export interface Identity {
  readonly name: string;
  readonly version: string;
  readonly digest: string;
  readonly scrubs: true;
}

export interface Offer {
  readonly v: 1;
  readonly execution_id: string;
  readonly processor: string;
  readonly job: unknown;
  readonly secrets: readonly string[];
  readonly timeout_ms: number;
  readonly dispatcher: string;
  readonly contact_ms: number;
}

export type StopReason = 'killed' | 'timed_out';

export type Outcome =
  | { readonly kind: 'exited'; readonly exit_code: number }
  | { readonly kind: StopReason }
  | { readonly kind: 'lost' };

export interface Ended {
  readonly v: 1;
  readonly kind: 'ended';
  readonly execution_id: string;
  readonly outcome: Outcome;
  readonly duration_ms: number;
  readonly error?: { readonly code: string; readonly message: string; readonly retryable?: boolean };
  readonly log_base64: string;
}

export interface Progress {
  readonly v: 1;
  readonly kind: 'progress';
  readonly execution_id: string;
  readonly fraction?: number;
  readonly message?: string;
}

/** What a request holds, as an object; undefined for what is none. */
export function parseRequest(data: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(data));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    // Whoever sent it speaks another contract.
    return undefined;
  }
}

const areNames = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((name) => typeof name === 'string');

/** An offer of version 1; undefined for anything else. */
export function parseOffer(data: Uint8Array): Offer | undefined {
  const offer = parseRequest(data);
  if (offer?.v !== 1 || !areNames(offer.secrets)) return undefined;
  const texts = [offer.execution_id, offer.processor, offer.dispatcher];
  const numbers = [offer.timeout_ms, offer.contact_ms];
  const isWhole = texts.every((text) => typeof text === 'string') && numbers.every((one) => typeof one === 'number');
  return isWhole ? (offer as unknown as Offer) : undefined;
}
