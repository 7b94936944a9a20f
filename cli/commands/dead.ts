import { readStream } from '../../shared/nats/read.ts';
import { ALL_DEAD, DEAD_STREAM, type DeadLetter, parseDeadLetter, parseDeadSubject } from '../../shared/wire/dead.ts';
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

/** `isomorph dead [plan]`: what was refused or given up, the newest last. */
export async function dead(context: Context, planId: string | undefined, options: DeadOptions): Promise<number> {
  const { principal, limit } = options;
  const listed: ListedLetter[] = [];
  const place = { stream: DEAD_STREAM, filter: ALL_DEAD, fromSeq: 1 };
  for await (const { subject, storedAt, data } of readStream(await context.connection('auditor'), place)) {
    const { principal: who = null, planId: named = null } = parseDeadSubject(subject);
    if (principal !== undefined && who !== principal) continue;
    const letter = letterOf(data);
    if (letter === undefined) continue;
    const plan = letter.plan_id ?? named;
    if (planId !== undefined && plan !== planId) continue;
    listed.push({ stored_at: storedAt, principal: who, ...letter, plan_id: plan });
    if (listed.length > limit) listed.shift();
  }
  context.out.lines(...deadLines(listed, context.out.theme));
  context.out.document(listed);
  return 0;
}
