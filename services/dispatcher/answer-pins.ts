import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import type { Adapter } from '../../shared/ids/adapter.ts';
import { type PinAnswer, parsePinRequest, pinSubject } from '../../shared/wire/images.ts';

/**
 * Answers what an image is now where `runtime` runs, shared with the other dispatchers of its adapter. `onError` hears
 * why a request had no answer.
 */
export function answerPins(
  connection: NatsConnection,
  runtime: { readonly adapter: Adapter; pinImage(image: string): Promise<string | undefined> },
  onError: (error: unknown) => void,
): Subscription {
  const pinOf = async (request: Msg): Promise<PinAnswer> => {
    const parsed = parsePinRequest(request.json());
    const pinned = parsed.ok ? await runtime.pinImage(parsed.value.image) : undefined;
    return pinned === undefined ? {} : { pinned };
  };
  return connection.subscribe(pinSubject(runtime.adapter), {
    queue: 'dispatcher',
    callback: (error, message) => {
      if (error !== null) return onError(error);
      pinOf(message)
        .catch((failure: unknown) => {
          onError(failure);
          return {};
        })
        .then((answer) => message.respond(JSON.stringify(answer)));
    },
  });
}
