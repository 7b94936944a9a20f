import { IsomorphError } from '../shared/errors/isomorph-error.ts';
import { decodeText } from '../shared/ledger/envelope.ts';
import type { Finding, Verdict, Verifier } from '../shared/ledger/verify.ts';
import { plural } from '../shared/text/plural.ts';
import { AuditedLedger, type Documents } from './audited-ledger.ts';

export interface VerifyOptions {
  /** A chain that has not ended is no finding. */
  readonly open: boolean;
  /** What the last event must hash to: the one thing that tells of a ledger made anew from end to end. */
  readonly head: string | undefined;
  /** Where the admitted documents are; what needs them is not checked without. */
  readonly documents?: Documents | undefined;
}

/** Lines as bytes, without their line feed. A last line need not have one. */
async function* splitLines(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array = new Uint8Array();
  for await (const chunk of input) {
    const bytes = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, start)) {
      yield bytes.subarray(start, end);
      start = end + 1;
    }
    rest = bytes.subarray(start);
  }
  if (rest.byteLength > 0) yield rest;
}

function readLine(verifier: Verifier, bytes: Uint8Array, place: string): string | undefined {
  try {
    return verifier.line(decodeText(bytes), place)?.plan_id;
  } catch (error) {
    verifier.report(error, place);
    return undefined;
  }
}

function cutOff(verdict: Verdict, lastLine: ReadonlyMap<string, number>): Finding[] {
  return verdict.plans
    .filter((plan) => !plan.complete)
    .map(({ planId, phase, events }) => ({
      place: `after line ${lastLine.get(planId)}`,
      planId,
      seq: undefined,
      code: 'ERR_CHAIN_BROKEN',
      message: `the chain of ${planId} stops after ${plural(events, 'event')} while the plan is ${phase}: the rest is missing`,
      expected: 'plan.settled or plan.rejected as the last event, or --open for a plan that still runs',
    }));
}

function otherHead(verdict: Verdict, head: string): Finding[] {
  const [plan] = verdict.plans;
  if (plan === undefined || plan.headHash === head) return [];
  const message = `the last event of ${plan.planId} hashes to ${plan.headHash}`;
  const place = 'last line';
  return [{ place, planId: plan.planId, seq: undefined, code: 'ERR_CHAIN_BROKEN', message, expected: head }];
}

const EMPTY: Finding = {
  place: 'the whole input',
  planId: undefined,
  seq: undefined,
  code: 'ERR_NOT_AN_EVENT',
  message: 'it holds no event',
  expected: 'an export: one event a line',
};

/**
 * Verifies an export with nothing but its bytes: every line an event in canonical form, every chain linked from its
 * first event to its last, every transition legal; and against the admitted documents, where they are given.
 * @throws ERR_USAGE when a head is given for more than one plan.
 */
export async function verifyLines(input: AsyncIterable<Uint8Array>, options: VerifyOptions): Promise<Verdict> {
  const ledger = new AuditedLedger(options.documents);
  const lastLine = new Map<string, number>();
  let number = 0;
  for await (const bytes of splitLines(input)) {
    number += 1;
    const planId = readLine(ledger.verifier, bytes, `line ${number}`);
    if (planId !== undefined) lastLine.set(planId, number);
    await ledger.proceed();
  }
  const verdict = await ledger.verdict();
  if (options.head !== undefined && verdict.plans.length > 1) {
    throw new IsomorphError('ERR_USAGE', `--head names one hash, the input holds ${verdict.plans.length} plans`);
  }
  const findings = [
    ...verdict.findings,
    ...(verdict.events === 0 && verdict.findings.length === 0 ? [EMPTY] : []),
    ...(options.open ? [] : cutOff(verdict, lastLine)),
    ...(options.head === undefined ? [] : otherHead(verdict, options.head)),
  ];
  return { ...verdict, findings };
}
