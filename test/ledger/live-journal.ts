/** What tests of the journal on a real server have in common. */
import type { NatsConnection } from '@nats-io/transport-node';
import * as assert from 'uvu/assert';
import { Journal } from '../../shared/journal/journal.ts';
import { type Decision, NOTHING } from '../../shared/ledger/decider.ts';
import type { LedgerEvent } from '../../shared/ledger/events.ts';
import { understood } from '../../shared/ledger/meaning.ts';
import type { PlanState } from '../../shared/ledger/state.ts';
import { Verifier } from '../../shared/ledger/verify.ts';
import { readStream, type StoredMessage } from '../../shared/nats/read.ts';
import { decodeCommit } from '../../shared/wire/ledger.ts';
import { admitted, fact, submitted } from './plan-history.ts';

export const PLAN = 'raced';

export const journalOn = (connection: NatsConnection): Journal => new Journal({ connection, by: 'sampler' });

/** As admission does: a service writes its own kinds only. */
export const admit = (connection: NatsConnection, planId = PLAN) =>
  new Journal({ connection, by: 'admission' }).append(planId, () => ({
    drafts: [submitted(planId), admitted(planId, 1_000)],
  }));

/** A fact of its own id, once: what every decider of Isomorph does with what it has already recorded. */
export const recordOnce =
  (number: number) =>
  (state: PlanState): Decision =>
    state.facts.has(`f${number}`) ? NOTHING : { drafts: [fact(number)] };

export async function messagesOf(connection: NatsConnection, planId = PLAN): Promise<StoredMessage[]> {
  const messages: StoredMessage[] = [];
  for await (const message of readStream(connection, { stream: 'LEDGER', filter: `ledger.${planId}.>`, fromSeq: 1 })) {
    messages.push(message);
  }
  return messages;
}

/** The plan's events as a verifier that trusts nobody reads them. */
export async function verifiedEvents(connection: NatsConnection, planId = PLAN): Promise<LedgerEvent[]> {
  const verifier = new Verifier();
  const raws = (await messagesOf(connection, planId)).flatMap(({ data, subject }) =>
    decodeCommit(data, subject).map(({ raw }) => raw),
  );
  for (const raw of raws) verifier.event(raw, `seq ${raw.seq}`);
  assert.equal(verifier.verdict().findings, []);
  return raws.map(understood);
}

export const factsOf = (events: readonly LedgerEvent[]): string[] =>
  events.flatMap(({ data }) => ('fact_id' in data ? [data.fact_id] : []));

export const sorted = (values: Iterable<string>): string[] => [...values].sort();
