/** Rounds until the time is over or something is found. */
import { startDeployment } from './deployment.ts';
import { KNOWN_LIMITS, KNOWN_NAMES, type KnownLimit } from './known.ts';
import type { Measures } from './measures.ts';
import { Rounds, roundPlan } from './round.ts';

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  /** Known limits that are tried all the same. */
  readonly on: readonly KnownLimit[];
  /** Whether memory that grows is a finding. Default: it is. */
  readonly judgesMemory?: boolean;
  readonly write?: (text: string) => void;
}

export interface SoakReport {
  readonly seed: number;
  readonly rounds: number;
  readonly plans: number;
  readonly poison: number;
  readonly faults: number;
  readonly events: number;
  readonly seconds: number;
  readonly findings: readonly string[];
  /** Where the store lies, when something was found. */
  readonly home: string | undefined;
}

const SHOWN = 12;

const table = ({ copies }: Measures): string =>
  [...copies]
    .map(
      ([copy, { rssMb, heapMb, descriptors }]) =>
        `${copy} ${rssMb.toFixed(0)}/${heapMb?.toFixed(0) ?? '?'} MB ${descriptors} fd`,
    )
    .join(', ');

function summary(report: SoakReport, on: readonly KnownLimit[]): string {
  const { rounds, plans, poison, faults, events, seconds, seed, findings, home } = report;
  const left = KNOWN_NAMES.filter((name) => !on.includes(name)).map((name) => `  ${name}: ${KNOWN_LIMITS[name]}`);
  const found = findings.slice(0, SHOWN).map((finding) => `  ${finding}`);
  const more = findings.length > SHOWN ? [`  and ${findings.length - SHOWN} more`] : [];
  const kept = home === undefined ? [] : [`the store is kept in ${home}`];
  return [
    `${rounds} rounds in ${seconds} s, seed ${seed}: ${plans} plans, ${events} events, ${poison} poisoned messages, ${faults} faults`,
    'left out:',
    ...left,
    findings.length === 0 ? 'nothing was found' : `found in round ${rounds - 1}, seed ${seed}:`,
    ...found,
    ...more,
    ...kept,
    '',
  ].join('\n');
}

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { minutes, seed, on, judgesMemory = true, write = (text) => process.stdout.write(text) } = options;
  const startedMs = performance.now();
  const sinceS = (): number => Math.round((performance.now() - startedMs) / 1000);
  const tell = (line: string): void => write(`${String(sinceS()).padStart(5)} s  ${line}\n`);
  tell(`soak of ${minutes} minutes, seed ${seed}`);
  const deployment = await startDeployment();
  const rounds = new Rounds(deployment, { on, judgesMemory, tell: (line) => tell(`  ${line}`) });
  const sums = { rounds: 0, plans: 0, poison: 0, faults: 0, events: 0 };
  let findings: readonly string[] = [];
  try {
    do {
      const plan = roundPlan(seed, sums.rounds, on);
      tell(`round ${sums.rounds}: ${plan.plans.length} plans, ${plan.faults.length} faults`);
      const done = await rounds.run(plan);
      findings = done.findings;
      sums.rounds += 1;
      sums.plans += done.plans;
      sums.poison = done.poison;
      sums.faults += plan.faults.length;
      sums.events = done.events;
      tell(`  ${done.slowest}`);
      if (done.measures !== undefined) tell(`  ${table(done.measures)}`);
    } while (findings.length === 0 && sinceS() < minutes * 60);
  } finally {
    await deployment.stop(findings.length > 0);
  }
  const report = {
    ...sums,
    seed,
    seconds: sinceS(),
    findings,
    home: findings.length > 0 ? deployment.home : undefined,
  };
  write(summary(report, on));
  return report;
}
