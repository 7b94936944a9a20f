/** What the model-based tests of KV and queues share. `ISOMORPH_MODEL_RUNS` sets how many command lists are tried. */
import fc from 'fast-check';
import type { UnderTest } from './conformance.ts';
import { freshPlanId } from './conformance.ts';

const IN_CI = 300;
const ELSEWHERE = 60;
const MAX_COMMANDS = 30;
/** A backend takes its time to come back. */
const RUNS_PER_RESTART = 20;

/** For suites of models: thousands of calls on a slow machine are no hang. */
export const MODEL_LIMITS = { timeoutMs: 220_000 };

export const MODEL_RUNS = Number(process.env.ISOMORPH_MODEL_RUNS ?? (process.env.CI === 'true' ? IN_CI : ELSEWHERE));

/** The real thing: one client after the other on a plan of its own. */
export class Real<Client extends { close(): Promise<void> }> {
  readonly subject: UnderTest<Client>;
  readonly planId = freshPlanId();
  client: Client;

  constructor(subject: UnderTest<Client>) {
    this.subject = subject;
    this.client = subject.client;
  }

  /** The client ends in order, and another one comes. */
  async reopen(): Promise<void> {
    await this.client.close();
    this.client = await this.subject.open();
  }

  /** The client is just not there any more, as after a SIGKILL: nothing of it is closed. */
  async crash(): Promise<void> {
    this.client = await this.subject.open();
  }
}

export type Command<Model extends object, Client extends { close(): Promise<void> }> = fc.AsyncCommand<
  Model,
  Real<Client>
>;

/** A command from what it does; it can always be run. */
export function command<Model extends object, Client extends { close(): Promise<void> }>(
  name: string,
  run: (model: Model, real: Real<Client>) => Promise<void>,
): Command<Model, Client> {
  return { check: () => true, run, toString: () => name };
}

export interface ModelTest<Model extends object, Client extends { close(): Promise<void> }> {
  readonly commands: fc.Arbitrary<Command<Model, Client>>[];
  make(): Promise<UnderTest<Client>>;
  newModel(): Model;
  /** What must hold after the last command. */
  atEnd(model: Model, real: Real<Client>): Promise<void>;
}

async function check<Model extends object, Client extends { close(): Promise<void> }>(
  { commands, make, newModel, atEnd }: ModelTest<Model, Client>,
  numRuns: number,
): Promise<void> {
  const property = fc.asyncProperty(fc.commands(commands, { maxCommands: MAX_COMMANDS }), async (list) => {
    const real = new Real(await make());
    const model = newModel();
    try {
      await fc.asyncModelRun(() => ({ model, real }), list);
      await atEnd(model, real);
    } finally {
      await real.subject.dispose();
    }
  });
  await fc.assert(property, { numRuns, endOnFailure: process.env.CI !== 'true' });
}

/** Clients come and go. */
export function checkModel<Model extends object, Client extends { close(): Promise<void> }>(
  test: ModelTest<Model, Client>,
  runs: number = MODEL_RUNS,
): Promise<void> {
  const reopen = command<Model, Client>('reopen', (_, real) => real.reopen());
  const crash = command<Model, Client>('crash', (_, real) => real.crash());
  return check({ ...test, commands: [...test.commands, fc.constant(reopen), fc.constant(crash)] }, runs);
}

/** The backend itself is killed and started again: for what is durable. */
export function checkModelOverRestarts<Model extends object, Client extends { close(): Promise<void> }>(
  test: ModelTest<Model, Client>,
  restart: () => Promise<void>,
): Promise<void> {
  const restartBackend = command<Model, Client>('restart the backend', async (_, real) => {
    await restart();
    await real.crash();
  });
  const runs = Math.max(1, Math.floor(MODEL_RUNS / RUNS_PER_RESTART));
  return check({ ...test, commands: [...test.commands, fc.constant(restartBackend)] }, runs);
}
