import { errors, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import Type, { type Static } from 'typebox';
import type { Adapter } from '../ids/adapter.ts';
import { PINNED } from '../runtime/image-identity.ts';
import { validator } from '../schema/validate.ts';

/** How admission, which has no container engine, learns what an image is: a request that a dispatcher answers (ADR 17). */

const RequestSchema = Type.Object({ image: Type.String() });
const AnswerSchema = Type.Object({
  /** Absent when the runtime cannot tell. */
  pinned: Type.Optional(Type.String({ pattern: PINNED.source, maxLength: 256 })),
});

const parseRequest = validator(RequestSchema, 'ERR_SCHEMA');
const parseAnswer = validator(AnswerSchema, 'ERR_SCHEMA');

const subjectOf = (adapter: Adapter): string => `images.${adapter}`;

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
    const request = JSON.stringify({ image } satisfies Static<typeof RequestSchema>);
    const reply = await connection.request(subjectOf(adapter), request, { timeout: ANSWER_MS });
    const answer = parseAnswer(reply.json());
    return answer.ok ? answer.value.pinned : undefined;
  } catch (error) {
    // Nobody listens, or nobody answers in time.
    if (UNANSWERED.some((kind) => error instanceof kind)) return undefined;
    throw error;
  }
}

/** Answers such requests, shared with the other dispatchers of the adapter. `onError` hears why one had no answer. */
export function answerPins(
  connection: NatsConnection,
  runtime: { readonly adapter: Adapter; pinImage(image: string): Promise<string | undefined> },
  onError: (error: unknown) => void,
): Subscription {
  const pinOf = async (request: Msg): Promise<Static<typeof AnswerSchema>> => {
    const parsed = parseRequest(request.json());
    const pinned = parsed.ok ? await runtime.pinImage(parsed.value.image) : undefined;
    return pinned === undefined ? {} : { pinned };
  };
  return connection.subscribe(subjectOf(runtime.adapter), {
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
