import type { NatsConnection } from '@nats-io/transport-node';
import type { Adapter } from '../../shared/ids/adapter.ts';
import { askForPin } from '../../shared/nats/images.ts';
import { PINNED } from '../../shared/runtime/image-identity.ts';
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
    if (adapter === undefined || PINNED.test(image)) continue;
    const key = keyOf(adapter, image);
    if (!asked.has(key)) asked.set(key, askForPin(connection, adapter, image));
  }
  const entries = [...asked].map(async ([key, pin]) => [key, await pin] as const);
  const known = new Map(await Promise.all(entries));
  return { pinnedImage: (adapter, image) => known.get(keyOf(adapter, image)) };
}
