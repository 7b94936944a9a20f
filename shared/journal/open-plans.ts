import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import pLimit from 'p-limit';
import { IsomorphError } from '../errors/isomorph-error.ts';
import { lastMessageOf, type StoredMessage } from '../nats/read.ts';
import { commitSubject, LEDGER_STREAM, planOfSubject } from '../wire/ledger.ts';

const LOOKS_AT_ONCE = 32;

/**
 * Ids of plans that were admitted and have not ended, beside the end of the stream before which that holds. It is asked of the
 * stream's subjects, not read from history.
 * @throws ERR_UNAVAILABLE when the server does not answer or has no ledger
 */
export async function openPlans(connection: NatsConnection): Promise<{ ids: string[]; lastSeq: number }> {
  try {
    const { streams } = await jetstreamManager(connection, { checkAPI: false });
    // The end is read first: what is admitted after that lies behind it.
    const { state } = await streams.info(LEDGER_STREAM);
    const plansWith = async (kind: string): Promise<Set<string>> => {
      const info = await streams.info(LEDGER_STREAM, { subjects_filter: commitSubject({ plan_id: '*', kind }) });
      return new Set(Object.keys(info.state.subjects ?? {}).flatMap((subject) => planOfSubject(subject) ?? []));
    };
    const admitted = await plansWith('plan.admitted');
    const settled = await plansWith('plan.settled');
    return { ids: [...admitted].filter((planId) => !settled.has(planId)), lastSeq: state.last_seq };
  } catch (error) {
    if (error instanceof IsomorphError) throw error;
    throw new IsomorphError('ERR_UNAVAILABLE', `reading ${LEDGER_STREAM}: ${(error as Error).message}`, {}, error);
  }
}

/** The message that admitted each plan; of one whose message cannot be found none. @throws ERR_UNAVAILABLE */
export async function admissionsOf(connection: NatsConnection, planIds: readonly string[]): Promise<StoredMessage[]> {
  const limit = pLimit(LOOKS_AT_ONCE);
  const admission = (planId: string) =>
    lastMessageOf(connection, LEDGER_STREAM, commitSubject({ plan_id: planId, kind: 'plan.admitted' }));
  const found = await Promise.all(planIds.map((planId) => limit(() => admission(planId))));
  return found.filter((message) => message !== undefined);
}

/**
 * The stream sequence where whoever follows the ledger anew begins: at the admission of the oldest plan that has not ended,
 * or behind the last message when all have.
 * @throws ERR_UNAVAILABLE when the server does not answer or has no ledger
 */
export async function oldestOpenSeq(connection: NatsConnection): Promise<number> {
  const { ids, lastSeq } = await openPlans(connection);
  const admissions = await admissionsOf(connection, ids);
  return admissions.reduce((first, { seq }) => Math.min(first, seq), lastSeq + 1);
}
