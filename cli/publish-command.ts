import { PermissionViolationError } from '@nats-io/transport-node';
import { IsomorphError } from '../shared/errors/isomorph-error.ts';
import { STREAM_FULL } from '../shared/nats/missing.ts';
import { type CommandName, commandSubject } from '../shared/wire/commands.ts';
import type { Commander } from './commander.ts';

/** The answer of JetStream to a stored command. */
export interface PubAck {
  readonly stream: string;
  readonly seq: number;
  readonly duplicate: boolean;
}

const ACK_TIMEOUT_MS = 10_000;

/** What NATS takes in one message unless configured otherwise; admission's own limit is a quarter of it. */
const MAX_BYTES = 1024 * 1024;

/** A request wraps what the server said. */
const isRefused = (error: unknown): boolean =>
  error instanceof Error && [error, error.cause].some((one) => one instanceof PermissionViolationError);

/**
 * Publishes a command as a request, the way any NATS client would, and returns once it is stored.
 * @throws ERR_TOO_LARGE; ERR_PRINCIPAL when NATS does not let these credentials command so; ERR_LIMIT when as many commands wait as may;
 * ERR_UNAVAILABLE when nothing confirms it (it may have been stored all the same).
 */
export async function publishCommand(
  { connection, principal }: Commander,
  name: CommandName,
  body: Uint8Array,
): Promise<PubAck> {
  const subject = commandSubject(name, principal);
  const limit = connection.info?.max_payload ?? MAX_BYTES;
  if (body.byteLength > limit) {
    throw new IsomorphError('ERR_TOO_LARGE', `the command has ${body.byteLength} bytes`, {
      expected: `at most ${limit} bytes`,
    });
  }
  let answer: {
    stream?: string;
    seq?: number;
    duplicate?: boolean;
    error?: { err_code?: number; description?: string };
  };
  try {
    answer = (await connection.request(subject, body, { timeout: ACK_TIMEOUT_MS })).json();
  } catch (error) {
    if (isRefused(error)) {
      const place = { expected: `NATS_URL with the credentials of ${principal}` };
      throw new IsomorphError(
        'ERR_PRINCIPAL',
        `NATS lets nobody with these credentials command as ${principal}`,
        place,
      );
    }
    const message = `${subject} was not confirmed: ${(error as Error).message}`;
    throw new IsomorphError('ERR_UNAVAILABLE', message, {}, error);
  }
  const { stream, seq, duplicate = false, error } = answer;
  if (error?.err_code === STREAM_FULL) {
    throw new IsomorphError('ERR_LIMIT', `${subject} was not stored: ${error.description}`, {
      expected: 'fewer commands that wait for admission: see whether it runs, and send this one again later',
    });
  }
  if (error !== undefined || stream === undefined || seq === undefined) {
    throw new IsomorphError('ERR_UNAVAILABLE', `${subject} was not stored: ${error?.description ?? 'no PubAck'}`);
  }
  return { stream, seq, duplicate };
}
