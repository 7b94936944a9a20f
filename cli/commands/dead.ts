import type { NatsConnection } from '@nats-io/transport-node';
import { readStream } from '../../shared/nats/read.ts';
import { jsonIn } from '../../shared/text/json-in.ts';
import {
  ALL_DEAD,
  ALL_KEPT,
  DEAD_KEPT_STREAM,
  DEAD_STREAM,
  type DeadLetter,
  parseDeadLetter,
  parseDeadSubject,
} from '../../shared/wire/dead.ts';
import type { Context } from '../context.ts';
import { deadLines, type ListedLetter } from '../render/dead.ts';

export interface DeadOptions {
  readonly principal?: string;
  readonly limit: number;
}

/** Whoever may write there may write anything: what is no letter is left out. */
function letterOf(data: Uint8Array): DeadLetter | undefined {
  const parsed = parseDeadLetter(jsonIn(data));
  return parsed.ok ? parsed.value : undefined;
}

const PLACES = [
  { stream: DEAD_STREAM, filter: ALL_DEAD },
  { stream: DEAD_KEPT_STREAM, filter: ALL_KEPT },
] as const;

/** The letters of DEAD, which tells when each was stored, then those that are kept and no longer there. */
async function* lettersOf(connection: NatsConnection): AsyncGenerator<ListedLetter> {
  const listed = new Set<string>();
  for (const place of PLACES) {
    for await (const { subject, storedAt, data } of readStream(connection, { ...place, fromSeq: 1 })) {
      const letter = letterOf(data);
      if (letter === undefined) continue;
      const key = `${letter.stream} ${letter.seq} ${letter.fault.code} ${letter.body_cid}`;
      if (listed.has(key)) continue;
      listed.add(key);
      const { principal = null, planId = null } = parseDeadSubject(subject);
      yield { stored_at: storedAt, principal, ...letter, plan_id: letter.plan_id ?? planId };
    }
  }
}

/** `isomorph dead [plan]`: what was refused or given up, the newest last. */
export async function dead(context: Context, planId: string | undefined, options: DeadOptions): Promise<number> {
  const { principal, limit } = options;
  const listed: ListedLetter[] = [];
  for await (const letter of lettersOf(await context.connection('auditor'))) {
    if (principal !== undefined && letter.principal !== principal) continue;
    if (planId === undefined || letter.plan_id === planId) listed.push(letter);
  }
  const newest = listed.sort((one, other) => one.stored_at.localeCompare(other.stored_at)).slice(-limit);
  context.out.lines(...deadLines(newest, context.out.theme));
  context.out.document(newest);
  return 0;
}
