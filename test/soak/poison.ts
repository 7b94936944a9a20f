/** What would hurt others: messages from the generators of the doors, and some that are made to be believed. */
import { JetStreamApiError, jetstream, type PubAck } from '@nats-io/jetstream';
import { type NatsConnection, headers as newHeaders } from '@nats-io/transport-node';
import fc from 'fast-check';
import type { Poison } from '../poison/garbled.ts';
import { commands, facts, ledgerMessages, namedCommands, workMessages } from '../poison/kinds.ts';
import { canonical, cidOfText, type Json } from './checker/canonical.ts';
import type { Deployment } from './deployment.ts';

/** Messages at each door, a round. */
const DOSE = 30;
/** Well-linked events of a later version: each is handed back. */
const NEWER_EVENTS = 12;

const DOORS = [
  ['COMMANDS', commands, 'client'],
  ['COMMANDS', namedCommands, 'core'],
  ['FACTS', facts, 'core'],
  ['WORK', workMessages, 'core'],
  ['LEDGER', ledgerMessages, 'core'],
] as const;

/** What the server has confirmed, and each of which somebody must answer for. */
export interface Given {
  readonly stream: string;
  readonly seq: number;
  readonly plan: string | undefined;
}

function planIn({ body, subject }: Poison): string | undefined {
  try {
    const { plan_id: id } = JSON.parse(new TextDecoder().decode(body)) as { plan_id?: unknown };
    return typeof id === 'string' ? id : undefined;
  } catch {
    return /^facts\.([^.]+)/.exec(subject)?.[1];
  }
}

/** Undefined when the server refuses it, or did not say: it may be away just now. */
export async function publishPoison(connection: NatsConnection, one: Poison): Promise<PubAck | undefined> {
  const given = newHeaders();
  for (const [name, value] of Object.entries(one.headers)) given.set(name, value);
  try {
    return await jetstream(connection).publish(one.subject, one.body, { headers: given, timeout: 5_000, retries: 0 });
  } catch (error) {
    if (error instanceof JetStreamApiError) return undefined;
    return undefined;
  }
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Made {
  readonly planId: string;
  readonly kind: string;
  readonly by: string;
  readonly data: Json;
}

/** A chain of its own, linked and hashed as it should be, whatever it means. */
function chainOf(events: readonly Made[]): Poison[] {
  let head: string | null = null;
  return events.map(({ planId, kind, by, data }, index) => {
    const rest = {
      by,
      data,
      kind,
      plan_id: planId,
      prev_hash: head,
      seq: index + 1,
      ts: new Date().toISOString(),
      v: 1,
    };
    head = cidOfText(canonical(rest));
    return { subject: `ledger.${planId}.${kind}`, body: bytesOf(canonical({ ...rest, this_hash: head })), headers: {} };
  });
}

/** What a service's credentials, a later version and a slip of the hand put into the ledger. */
export function believable(round: number): Poison[] {
  const illegal = {
    kind: 'plan.settled',
    by: 'settler',
    data: { status: 'succeeded', spent_usd_micro: 0, faults: [] },
  };
  const newer = Array.from({ length: NEWER_EVENTS }, () => ({
    planId: `newer-${round}`,
    kind: 'plan.reviewed',
    by: 'settler',
    data: { steps: 1 },
  }));
  return [
    { subject: `ledger.empty-${round}.plan.settled`, body: new Uint8Array(), headers: {} },
    ...chainOf([{ planId: `illegal-${round}`, ...illegal }]),
    ...chainOf(newer),
  ];
}

/** Plans that two readers would take differently, or that ask for what nobody has: none may be admitted. */
export function badPlans(round: number): Poison[] {
  const body = (name: string, params: string, more = ''): string =>
    `{"plan_id":"bad-${round}-${name}","budget":{"limit_usd_micro":1000000}${more},"steps":[{"id":"a","processor":"soak/step@1","params":${params}}]}`;
  const bodies = [
    body('number', '{"value":9007199254740993}'),
    body('twice', '{"value":1}', ',"budget":{"limit_usd_micro":7}'),
    body('inherited', '{"constructor":1}'),
    body('unknown', '{"value":"text"}'),
  ];
  return bodies.map((text) => ({ subject: 'plans.submit', body: bytesOf(text), headers: {} }));
}

export async function poisonRound(deployment: Deployment, round: number, seed: number): Promise<Given[]> {
  const given: Given[] = [];
  const give = async (connection: NatsConnection, poison: readonly Poison[], stream: string): Promise<void> => {
    for (const one of poison) {
      const ack = await publishPoison(connection, one);
      if (ack === undefined || ack.duplicate || ack.stream !== stream) continue;
      given.push({ stream, seq: ack.seq, plan: planIn(one) });
    }
  };
  await give(deployment.core, believable(round), 'LEDGER');
  await give(deployment.client, badPlans(round), 'COMMANDS');
  const doors = DOORS.map(([stream, arbitrary, from], index) =>
    give(deployment[from], fc.sample(arbitrary, { numRuns: DOSE, seed: seed + index }), stream),
  );
  await Promise.all(doors);
  return given;
}
