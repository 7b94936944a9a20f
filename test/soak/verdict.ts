/** What a round left, judged: each list of sentences is empty when all is as it must be. Pure. */
import type { Foreign } from './checker/chains.ts';
import type { Folded } from './checker/fold.ts';
import type { Sight, Stored } from './checker/stored.ts';
import { CONSUMERS } from './faults.ts';
import { isOn, type KnownLimit } from './known.ts';
import type { SoakPlan } from './plans.ts';
import type { Given } from './poison.ts';

export interface Letter {
  readonly stream: string;
  readonly seq: number;
  readonly code: string;
  readonly plan: string;
}

export function letterOf({ bytes }: Stored): Letter {
  const {
    stream,
    seq,
    fault,
    plan_id: plan,
  } = JSON.parse(Buffer.from(bytes).toString('utf8')) as {
    stream: string;
    seq: number;
    fault: { code: string };
    plan_id?: string;
  };
  return { stream, seq, code: fault.code, plan: plan ?? '_' };
}

/** How a plan ended, in one word and the codes of its faults. */
function ended({ settled, phase }: Folded): { readonly status: string; readonly codes: readonly string[] } {
  const faults = (settled?.data.faults ?? []) as readonly { readonly code: string }[];
  return { status: String(settled?.data.status ?? phase), codes: faults.map(({ code }) => code) };
}

export function endingFindings(plan: SoakPlan, folded: Folded): string[] {
  const { status, codes } = ended(folded);
  const { ending } = plan;
  const asItMust = status === ending.status && (ending.status !== 'failed' || codes.includes(ending.code));
  const wasLost = [...folded.runs.values()].some(({ end }) => end?.kind === 'execution.lost');
  // A run that is lost is charged whole, and may leave too little for the next attempt.
  const isPoor = plan.tight === true && wasLost && codes.includes('ERR_BUDGET_EXHAUSTED');
  const principal = plan.meddled === true ? 'alice' : 'anonymous';
  const findings = folded.findings.map((finding) => `${plan.id}: ${finding}`);
  if (!asItMust && !isPoor) {
    const must = ending.status === 'failed' ? `failed ${ending.code}` : ending.status;
    findings.push(`${plan.id} ended ${[status, ...codes].join(' ')}, and should have ended ${must}`);
  }
  if (folded.principal !== principal) findings.push(`${plan.id} is of ${folded.principal}, not of ${principal}`);
  return findings;
}

/** A cancellation reaches a run within this, where that is asked for. */
const CANCELLED_WITHIN_MS = 10_000;

export function cancelFindings(
  plan: SoakPlan,
  { cancelled, settled }: Folded,
  scale: (ms: number) => number,
): string[] {
  if (cancelled === undefined || settled === undefined) return [];
  const tookMs = Date.parse(settled.ts) - Date.parse(cancelled.ts);
  return tookMs > scale(CANCELLED_WITHIN_MS) ? [`${plan.id} took ${tookMs} ms to end behind its cancellation`] : [];
}

/** Dead letters of those who did nothing wrong. */
export function letterFindings(letters: readonly Letter[], plans: ReadonlyMap<string, SoakPlan>): string[] {
  const isMeant = ({ plan, code }: Letter): boolean =>
    !plans.has(plan) || (plans.get(plan)?.meddled === true && code === 'ERR_PRINCIPAL');
  return letters
    .filter((letter) => letter.code === 'ERR_INTERNAL' || !isMeant(letter))
    .map(({ stream, seq, code, plan }) => `${stream} ${seq} of ${plan} is a dead letter: ${code}`);
}

export interface Answers {
  readonly given: readonly Given[];
  readonly letters: readonly Letter[];
  readonly foreign: readonly Foreign[];
  readonly plans: ReadonlyMap<string, Folded>;
}

/** Poison that nobody answered for. */
export function answerFindings({ given, letters, foreign, plans }: Answers): string[] {
  const dead = new Set(letters.map(({ stream, seq }) => `${stream} ${seq}`));
  const skipped = new Set(foreign.map(({ seq }) => seq));
  return given.flatMap(({ stream, seq, plan }) => {
    const folded = plans.get(plan ?? '');
    const isTaken = stream === 'LEDGER' ? skipped.has(seq) || folded !== undefined : folded !== undefined;
    return isTaken || dead.has(`${stream} ${seq}`) ? [] : [`${stream} ${seq} of ${plan} was neither taken nor refused`];
  });
}

/** Messages of harmless plans that are none of their chains: somebody wrote behind another's back. */
export const forkFindings = (foreign: readonly Foreign[], plans: ReadonlyMap<string, SoakPlan>): string[] =>
  foreign
    .filter(({ subject }) => plans.has(subject.split('.')[1] ?? ''))
    .map(({ seq, subject, why }) => `message ${seq} on ${subject} is none of its chain: ${why}`);

export const badPlanFindings = (plans: ReadonlyMap<string, Folded>): string[] =>
  [...plans]
    .filter(([id, { phase }]) => id.startsWith('bad-') && phase !== 'rejected')
    .map(([id, { phase }]) => `${id} was to be refused and is ${phase}`);

/** Deliveries of one consumer in the time between two sights that tell of no loop. */
const FEW_DELIVERIES = 150;

/** What is still to be done although nothing is. @param kept events that nobody of this version may answer */
export function leftFindings(before: Sight, now: Sight, kept: number, on: readonly KnownLimit[]): string[] {
  const has = (durable: string): boolean => now.consumers.some(({ name }) => name === durable);
  const findings = CONSUMERS.filter(([, name]) => !has(name)).map(
    ([stream, name]) => `${stream} has no consumer ${name}`,
  );
  for (const { stream, name, left, deliveries } of now.consumers) {
    const earlier = before.consumers.find((one) => one.stream === stream && one.name === name);
    if (earlier !== undefined && deliveries - earlier.deliveries > FEW_DELIVERIES) {
      findings.push(
        `${name} on ${stream} delivers again and again: ${deliveries - earlier.deliveries} times in between`,
      );
    }
    const most = stream === 'LEDGER' ? kept : 0;
    if (left > most) findings.push(`${name} on ${stream} has ${left} messages left`);
  }
  const isMark = (subject: string): boolean => subject.includes('.lease.') && !isOn(on, 'kept-marks');
  for (const { name, subjects } of now.streams) {
    const held = /^SCRATCH_QUEUE_/.test(name) ? subjects.filter((subject) => !isMark(subject)) : [];
    if (held.length > 0) findings.push(`${name} holds what settled plans left: ${held.slice(0, 3).join(', ')}`);
  }
  return findings;
}

export const secretFindings = (secret: string, places: ReadonlyMap<string, string>): string[] =>
  [...places].filter(([, text]) => text.includes(secret)).map(([place]) => `a granted secret stands in ${place}`);
