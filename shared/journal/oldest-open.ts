import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import pLimit from 'p-limit';
import { IsomorphError } from '../errors/isomorph-error.ts';
import { lastSequenceOf } from '../nats/read.ts';
import { commitSubject, LEDGER_STREAM, planOfSubject } from '../wire/ledger.ts';

const LOOKS_AT_ONCE = 32;

/**
 * The stream sequence where whoever follows the ledger anew begins: at the admission of the oldest plan that has not ended,
 * or behind the last message when all have. What is open is asked of the stream's subjects, not read from history.
 * @throws ERR_UNAVAILABLE when the server does not answer or has no ledger
 */
export async function oldestOpenSeq(connection: NatsConnection): Promise<number> {
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
    const open = [...admitted].filter((planId) => !settled.has(planId));
    const limit = pLimit(LOOKS_AT_ONCE);
    const seqs = await Promise.all(
      open.map((planId) =>
        limit(() =>
          lastSequenceOf(connection, LEDGER_STREAM, commitSubject({ plan_id: planId, kind: 'plan.admitted' })),
        ),
      ),
    );
    return seqs.reduce((first, seq) => Math.min(first, seq), state.last_seq + 1);
  } catch (error) {
    if (error instanceof IsomorphError) throw error;
    throw new IsomorphError('ERR_UNAVAILABLE', `reading ${LEDGER_STREAM}: ${(error as Error).message}`, {}, error);
  }
}
