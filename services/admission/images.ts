import { errors, type NatsConnection } from '@nats-io/transport-node';
import type { Adapter } from '../../shared/ids/adapter.ts';
import { PINNED } from '../../shared/ids/image-reference.ts';
import { RUNTIME_CAPABILITIES } from '../../shared/runtime/capabilities.ts';
import { type PinRequest, parsePinAnswer, pinSubject } from '../../shared/wire/images.ts';
import type { NamedStep } from './named.ts';

/** What the images of a plan are now: asked for before it is judged, since judging asks nobody. */
export interface KnownImages {
  /** The reference that pins an image where this adapter runs; undefined when nobody can tell. */
  pinnedImage(adapter: Adapter, image: string): string | undefined;
}

interface Runs {
  readonly adapters: readonly Adapter[];
  readonly defaultAdapter: Adapter;
}

const keyOf = (adapter: Adapter, image: string): string => `${adapter} ${image}`;

const UNANSWERED = [errors.RequestError, errors.NoRespondersError, errors.TimeoutError];

/** A plan is admitted without its pins rather than wait for an engine that is slow to answer. */
const ANSWER_MS = 2_000;

/**
 * The reference that pins what `image` is now where `adapter` runs; undefined when that runtime cannot tell, or no dispatcher
 * of it answers within 2 s.
 */
export async function askForPin(
  connection: NatsConnection,
  adapter: Adapter,
  image: string,
): Promise<string | undefined> {
  try {
    const request = JSON.stringify({ image } satisfies PinRequest);
    const reply = await connection.request(pinSubject(adapter), request, { timeout: ANSWER_MS });
    const answer = parsePinAnswer(reply.json());
    return answer.ok ? answer.value.pinned : undefined;
  } catch (error) {
    // Nobody listens, or nobody answers in time.
    if (UNANSWERED.some((kind) => error instanceof kind)) return undefined;
    throw error;
  }
}

/** Asks the dispatchers that would run the steps, once for each image. */
export async function lookUpImages(
  connection: NatsConnection,
  steps: readonly NamedStep[],
  { adapters, defaultAdapter }: Runs,
): Promise<KnownImages> {
  const asked = new Map<string, Promise<string | undefined>>();
  for (const step of steps) {
    const adapter = adapters.find((one) => one === (step.adapter ?? defaultAdapter));
    const { image } = step.processor;
    // One that is pinned already names the same image for ever.
    if (adapter === undefined || !RUNTIME_CAPABILITIES[adapter].images || PINNED.test(image)) continue;
    const key = keyOf(adapter, image);
    if (!asked.has(key)) asked.set(key, askForPin(connection, adapter, image));
  }
  const entries = [...asked].map(async ([key, pin]) => [key, await pin] as const);
  const known = new Map(await Promise.all(entries));
  return { pinnedImage: (adapter, image) => known.get(keyOf(adapter, image)) };
}
