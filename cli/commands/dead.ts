import type { NatsConnection } from '@nats-io/transport-node';
import { readStream } from '../../shared/nats/read.ts';
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

const decoder = new TextDecoder();

/** Whoever may write there may write anything: what is no letter is left out. */
function letterOf(data: Uint8Array): DeadLetter | undefined {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(data));
  } catch {
    return undefined;
  }
  const parsed = parseDeadLetter(value);
  return parsed.ok ? parsed.value : undefined;
}

/** The letters that are kept of each principal, then those of DEAD that are not among them. */
async function* lettersOf(connection: NatsConnection): AsyncGenerator<ListedLetter> {
  const kept = new Set<string>();
  for (const [stream, filter] of [
    [DEAD_KEPT_STREAM, ALL_KEPT],
    [DEAD_STREAM, ALL_DEAD],
  ] as const) {
    for await (const { subject, storedAt, data } of readStream(connection, { stream, filter, fromSeq: 1 })) {
      const letter = letterOf(data);
      if (letter === undefined) continue;
      const key = `${letter.stream} ${letter.seq} ${letter.fault.code} ${letter.body_cid}`;
      if (stream === DEAD_KEPT_STREAM) kept.add(key);
      else if (kept.has(key)) continue;
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
