/** Wake-ups of plans, kept by NATS: they ring whatever became of who set them (ADR 112). */
import { type JetStreamClient, type JetStreamManager, jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { openPlans } from '../../shared/journal/open-plans.ts';
import { isConflict } from '../../shared/nats/missing.ts';
import { publish } from '../../shared/nats/publish.ts';
import { lastMessageOf } from '../../shared/nats/read.ts';
import { Room } from '../../shared/providers/nats/room.ts';
import { formatAmount } from '../../shared/text/amount.ts';
import { jsonIn } from '../../shared/text/json-in.ts';
import {
  ALARMS_STREAM,
  alarmSubject,
  parseAlarm,
  planOfAlarm,
  RUNG_KEPT,
  rungSubject,
} from '../../shared/wire/alarms.ts';
import { limitInMetadata } from '../../shared/wire/scratch-streams.ts';
import { LIMITS } from './config/limits.ts';

/** What a plan's subject holds. */
interface Stored {
  /** 0: nothing. */
  readonly seq: number;
  readonly dueMs: number;
}

const NONE: Stored = { seq: 0, dueMs: Number.POSITIVE_INFINITY };

/** What is none of ours is replaced. */
function dueOf(data: Uint8Array): number {
  const alarm = parseAlarm(jsonIn(data));
  return alarm.ok ? Date.parse(alarm.value.due) : NONE.dueMs;
}

export class Alarms {
  readonly #connection: NatsConnection;
  readonly #jetstream: JetStreamClient;

  constructor(connection: NatsConnection) {
    this.#connection = connection;
    this.#jetstream = jetstream(connection);
  }

  /**
   * The plan is looked at at this instant or before: one that is set already is moved to ring earlier, never later. Stored
   * when this resolves, so that the commit that needs it may follow.
   * @param dueMs since 1970, by the clock of the server; what is past rings at once
   * @throws ERR_UNAVAILABLE when no server confirms it; it may ring all the same
   */
  async set(planId: string, dueMs: number): Promise<void> {
    // Mostly there is none yet: before a plan is admitted, and when one has rung.
    let stored = NONE;
    while (!(await this.#replace(planId, stored, dueMs))) {
      stored = await this.#read(planId);
      if (stored.dueMs <= dueMs) return;
    }
  }

  /** A plan that has ended is not woken for nothing. Not confirmed: an alarm that stays costs one look. */
  cancel(planId: string): void {
    const filter = JSON.stringify({ filter: alarmSubject(planId) });
    if (!this.#connection.isClosed()) this.#connection.publish(`$JS.API.STREAM.PURGE.${ALARMS_STREAM}`, filter);
  }

  /** Lets it ring at once. @throws ERR_UNAVAILABLE */
  async ring(planId: string): Promise<void> {
    await publish(this.#connection, rungSubject(planId), '', { ttl: RUNG_KEPT });
  }

  async #read(planId: string): Promise<Stored> {
    const found = await lastMessageOf(this.#connection, ALARMS_STREAM, alarmSubject(planId));
    return found === undefined ? NONE : { seq: found.seq, dueMs: dueOf(found.data) };
  }

  /** False when the subject holds something else than was thought. */
  async #replace(planId: string, { seq }: Stored, dueMs: number): Promise<boolean> {
    const due = new Date(dueMs);
    try {
      await this.#jetstream.publish(alarmSubject(planId), JSON.stringify({ due: due.toISOString() }), {
        expect: { lastSubjectSequence: seq },
        schedule: { specification: due, target: rungSubject(planId), ttl: RUNG_KEPT },
      });
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw new IsomorphError('ERR_UNAVAILABLE', `the alarm of ${planId}: ${(error as Error).message}`, {}, error);
    }
  }
}

/**
 * Room for the alarms of new plans. The server cannot refuse what is new in a stream of schedules, and what is old there is
 * somebody else's deadline.
 */
export const roomForAlarms = (manager: JetStreamManager): Pick<Room, 'take'> =>
  new Room(
    { manager },
    {
      limitBytes: limitInMetadata,
      full: (stream, bytes, limitBytes) =>
        new IsomorphError('ERR_LIMIT', `${stream} holds ${formatAmount(bytes)}`, {
          expected: `less than ${formatAmount(limitBytes)}: fewer open plans, or a larger ${LIMITS.alarmsBytes.name}`,
        }),
    },
  );

/**
 * Open plans that nothing would wake, as after the loss of the stream. Asked of the subjects of both streams, not read from history.
 * @throws ERR_UNAVAILABLE when the server does not answer or has no such stream
 */
export async function plansWithoutAlarm(connection: NatsConnection, manager: JetStreamManager): Promise<string[]> {
  // Open ones first: what is admitted after that had its alarm before.
  const { ids } = await openPlans(connection);
  try {
    const { state } = await manager.streams.info(ALARMS_STREAM, { subjects_filter: alarmSubject() });
    const awaited = new Set(Object.keys(state.subjects ?? {}).map(planOfAlarm));
    return ids.filter((planId) => !awaited.has(planId));
  } catch (error) {
    throw new IsomorphError('ERR_UNAVAILABLE', `reading ${ALARMS_STREAM}: ${(error as Error).message}`, {}, error);
  }
}
