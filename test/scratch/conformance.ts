/** What the suites of KV and of queues have in common: cases with a capability behind them, and their record. */
import { appendFile } from 'node:fs/promises';
import pLimit from 'p-limit';
import * as assert from 'uvu/assert';
import type { ErrorCode } from '../../shared/errors/codes.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { Available } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';

export type RestartKind = 'kill' | 'outage';

/** A fresh backend, or one where no other test's plans are, with one client on it. */
export interface UnderTest<Client> {
  readonly client: Client;
  /** Another client of the same backend, as another process would open it. */
  open(): Promise<Client>;
  /** Where the backend can be restarted, keeping what it keeps. Clients stay usable or reconnect. */
  restart?(): Promise<void>;
  /** What `restart` is: a kill of the server, or its endpoint going away for a while. */
  readonly restartIs?: RestartKind;
  /** The server gives one message to two who ask in the same instant: clients take one after another. */
  readonly takesInTurn?: boolean;
  /** Closes every client that was opened here. */
  dispose(): Promise<void>;
}

/** What a backend must offer for a case, and what happens where it does not: a refusal, which is tested too. */
export interface Needs<Capabilities, Client> {
  offered(capabilities: Capabilities): boolean;
  /** Must be refused with ERR_UNIMPLEMENTED where it is not offered; absent when there is nothing to ask for. */
  readonly ask?: (client: Client, planId: string) => Promise<unknown>;
}

export interface Case<Client, Capabilities> {
  readonly title: string;
  readonly needs?: Needs<Capabilities, Client>;
  /** It restarts the backend: no other case may run at the same time. */
  readonly alone?: true;
  run(subject: UnderTest<Client>, planId: string, capabilities: Capabilities): Promise<void>;
  /** What is true where it is not offered. */
  instead?(subject: UnderTest<Client>, planId: string): Promise<void>;
}

export interface ConformanceOptions {
  /** The server that all backends of this suite are made on. */
  readonly server?: {
    readonly available?: Available;
    start(): Promise<void>;
    stop(): Promise<void>;
  };
}

/** One line of the matrix (`matrix.ts`). */
export interface CaseResult {
  readonly primitive: 'kv' | 'queue';
  readonly driver: string;
  readonly title: string;
  readonly outcome: CaseVerdict | 'fail';
}

/**
 * What a case that holds comes to: `refused` with ERR_UNIMPLEMENTED; `declared` as not offered, and what is true instead was
 * tested where there is something to test; `outage`: it held over an outage, but nothing here can kill this backend; `unproven`:
 * not even that.
 */
export type CaseVerdict = 'pass' | 'refused' | 'declared' | 'outage' | 'unproven';

/** Pure: the page of the docs has it without a run. */
export function verdictOf<Client, Capabilities>(
  { needs, alone }: Case<Client, Capabilities>,
  capabilities: Capabilities,
  restartIs: RestartKind | undefined,
): CaseVerdict {
  const isOffered = needs?.offered(capabilities) ?? true;
  if (!isOffered) return needs?.ask === undefined ? 'declared' : 'refused';
  if (alone !== true || restartIs === 'kill') return 'pass';
  return restartIs ?? 'unproven';
}

const CASES_AT_ONCE = 8;

let plans = 0;

/** A plan id that no other test uses, in this run or another. */
export const freshPlanId = (): string => `t${process.pid}-${Date.now().toString(36)}-${++plans}`;

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value);

/** Asserts that a call fails with a code; gives the error. */
export async function refused(call: Promise<unknown>, code: ErrorCode, what = ''): Promise<IsomorphError> {
  const thrown: unknown = await call.then(
    (value) => assert.unreachable(`${what} was accepted: ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  assert.instance(thrown, IsomorphError, `${what}: ${String(thrown)}`);
  assert.is((thrown as IsomorphError).code, code, `${what}: ${String(thrown)}`);
  return thrown as IsomorphError;
}

export interface Conformance<Client, Capabilities> extends ConformanceOptions {
  readonly primitive: CaseResult['primitive'];
  readonly driver: string;
  readonly capabilities: Capabilities;
  readonly cases: readonly Case<Client, Capabilities>[];
  make(): Promise<UnderTest<Client>>;
}

/** Runs every case on a backend of its own. A case that the capabilities rule out must be refused instead. */
export function runConformance<Client, Capabilities>(conformance: Conformance<Client, Capabilities>): void {
  const { primitive, driver, capabilities, cases, server } = conformance;
  const test = suite(`${primitive}: ${driver}`);
  if (server !== undefined) {
    const { available } = server;
    if (available !== undefined) test.skipUnless(available.ok, available.ok ? '' : available.reason);
    test.before(() => server.start());
    test.after(() => server.stop());
  }
  // Most cases wait for time to pass: several run at once, each with a plan of its own. Restarts come after them.
  const limit = pLimit(CASES_AT_ONCE);
  const together = cases.filter(({ alone }) => alone !== true);
  const started = new Map<string, Promise<CaseResult['outcome']>>();
  test.before(() => {
    for (const one of together) {
      const running = limit(() => runCase(one, conformance));
      running.catch(() => 'its test reports it');
      started.set(one.title, running);
    }
  });
  for (const one of [...together, ...cases.filter(({ alone }) => alone === true)]) {
    const isOffered = one.needs?.offered(capabilities) ?? true;
    test(isOffered ? one.title : `not offered: ${one.title}`, async () => {
      await (started.get(one.title) ?? runCase(one, conformance));
    });
  }
  test.run();
}

async function runCase<Client, Capabilities>(
  one: Case<Client, Capabilities>,
  { primitive, driver, capabilities, make }: Conformance<Client, Capabilities>,
): Promise<CaseResult['outcome']> {
  const { title, needs } = one;
  let outcome: CaseResult['outcome'] = 'fail';
  const subject = await make();
  const planId = freshPlanId();
  try {
    if (needs?.offered(capabilities) ?? true) await one.run(subject, planId, capabilities);
    else if (needs?.ask !== undefined) await refused(needs.ask(subject.client, planId), 'ERR_UNIMPLEMENTED');
    else await one.instead?.(subject, planId);
    outcome = verdictOf(one, capabilities, subject.restart === undefined ? undefined : (subject.restartIs ?? 'kill'));
  } finally {
    await record({ primitive, driver, title, outcome });
    await subject.dispose();
  }
  return outcome;
}

async function record(outcome: CaseResult): Promise<void> {
  const file = process.env.ISOMORPH_MATRIX;
  if (file !== undefined) await appendFile(file, `${JSON.stringify(outcome)}\n`);
}
