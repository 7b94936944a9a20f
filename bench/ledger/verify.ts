/**
 * Verifying an export against a bare loop over the same file: read a line, parse it, hash it without its hash, compare that
 * and the link. What is on top is form, canonical text, schemas and the legality of every transition.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blake3Hex } from '../../shared/hash/blake3.ts';
import { Verifier } from '../../shared/ledger/verify.ts';
import { type BenchResult, takeTurns } from '../harness.ts';
import { lifeOf, linesOf } from './lives.ts';

const PLANS = 40;
const STEPS = 100;
const ROUNDS = 7;
const WARM_UPS = 2;

const linesIn = (file: string): string[] => readFileSync(file, 'utf8').split('\n');

function verify(file: string): void {
  const verifier = new Verifier();
  for (const [index, line] of linesIn(file).entries()) verifier.line(line, `line ${index + 1}`);
  const { findings } = verifier.verdict();
  if (findings.length > 0) throw new Error(`${findings[0]?.place}: ${findings[0]?.message}`);
}

function bareLoop(file: string): void {
  const heads = new Map<string, string>();
  for (const line of linesIn(file)) {
    const { this_hash: hash, ...open } = JSON.parse(line);
    if (`blake3:${blake3Hex(JSON.stringify(open))}` !== hash) throw new Error('another hash');
    if ((heads.get(open.plan_id) ?? null) !== open.prev_hash) throw new Error('another link');
    heads.set(open.plan_id, hash);
  }
}

export async function verifying(): Promise<BenchResult> {
  const dir = await mkdtemp(join(tmpdir(), 'isomorph-bench-'));
  try {
    const file = join(dir, 'export.ndjson');
    const lines = Array.from({ length: PLANS }, (_, n) => linesOf(lifeOf(`plan-${n}`, STEPS))).flat();
    await writeFile(file, lines.join('\n'));
    const { oursS, referenceS, ratio } = await takeTurns(
      async () => verify(file),
      async () => bareLoop(file),
      ROUNDS,
      WARM_UPS,
    );
    return {
      ratios: { verify: ratio },
      figures: { verify_events_per_s: lines.length / oursS, bare_loop_events_per_s: lines.length / referenceS },
    };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
