/**
 * `npm run soak -- --minutes M [--seed S] [--with <known limit>|all]`: random plans, poison and faults, round after round,
 * and after each an independent check of everything that is left. `--patches` runs it on sources with known defects.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { KNOWN_LIMITS, KNOWN_NAMES, type KnownLimit } from './known.ts';
import { runPatches } from './patches.ts';
import { soak } from './soak.ts';

function positive(text: string, name: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new RangeError(`--${name} takes a positive number`);
}

function limitsOf(names: readonly string[]): KnownLimit[] {
  if (names.includes('all')) return [...KNOWN_NAMES];
  const unknown = names.find((name) => !Object.hasOwn(KNOWN_LIMITS, name));
  if (unknown !== undefined) throw new RangeError(`--with takes all or one of ${KNOWN_NAMES.join(', ')}`);
  return names as KnownLimit[];
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '3' },
      seed: { type: 'string' },
      with: { type: 'string', multiple: true, default: [] },
      patches: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
    },
  });
  const seed = values.seed === undefined ? randomInt(1, 2 ** 30) : Math.floor(positive(values.seed, 'seed'));
  if (values.patches) return (await runPatches({ only: values.only, seed, minutes: 20 })) ? 0 : 1;
  const report = await soak({ minutes: positive(values.minutes, 'minutes'), seed, on: limitsOf(values.with) });
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  return report.findings.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 2;
}
