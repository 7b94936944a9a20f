import type { JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { isConsumerMissing } from '../../shared/nats/missing.ts';
import { firstMessageFrom } from '../../shared/nats/read.ts';
import { RETIRED_CONSUMERS } from '../../shared/wire/consumers.ts';
import { parseRetiredPurge, RETIRED_WORK, WORK_STREAM } from '../../shared/wire/work.ts';
import { Alarms } from '../common/alarms.ts';

async function remove(jsm: JetStreamManager, { stream, durable }: (typeof RETIRED_CONSUMERS)[number]): Promise<void> {
  try {
    await jsm.consumers.delete(stream, durable);
  } catch (error) {
    if (!isConsumerMissing(error)) throw error;
  }
}

/**
 * Earlier versions kept deadlines of plans and ends of scratch in WORK. Of the latter alarms are made; the deadlines are let go,
 * since a dispatcher that starts looks at every open plan that has no alarm.
 */
export async function retireTimers(connection: NatsConnection, jsm: JetStreamManager): Promise<void> {
  for (const consumer of RETIRED_CONSUMERS) await remove(jsm, consumer);
  const alarms = new Alarms(connection);
  let message = await firstMessageFrom(connection, WORK_STREAM, 1, RETIRED_WORK.purges);
  while (message !== undefined) {
    const purge = parseRetiredPurge(message.data);
    if (purge.ok) await alarms.set(purge.value.plan_id, Date.parse(purge.value.not_before));
    message = await firstMessageFrom(connection, WORK_STREAM, message.seq + 1, RETIRED_WORK.purges);
  }
  for (const filter of Object.values(RETIRED_WORK)) await jsm.streams.purge(WORK_STREAM, { filter });
}
