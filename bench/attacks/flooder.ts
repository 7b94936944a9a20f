/**
 * Floods a server with one kind of poison until it is ended: a process of its own, so that what it takes to make poison stops
 * no event loop but its own. Arguments: the kind; the URL of NATS, with its login, in `FLOODED_URL`.
 */
import { jetstream } from '@nats-io/jetstream';
import fc from 'fast-check';
import { delay } from '../../shared/async/delay.ts';
import { TokenBucket } from '../../shared/async/token-bucket.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import type { Poison } from '../../test/poison/garbled.ts';
import { commandsOf, facts, ledgerMessages, workMessages } from '../../test/poison/kinds.ts';
import { inParallel } from '../harness.ts';

/** The principal that floods with commands. */
export const FLOODER = 'mallory';

const MESSAGES_AT_ONCE = 64;
const BATCH = 500;

const KINDS = {
  commands: commandsOf(FLOODER),
  facts,
  work: workMessages,
  ledger: ledgerMessages,
} as const satisfies Readonly<Record<string, fc.Arbitrary<Poison>>>;

export type FloodKind = keyof typeof KINDS;

/** What only a service may send comes as from a defect of one, a second; who has its credentials can do worse. Others send what they can. */
const RATES: Partial<Readonly<Record<FloodKind, number>>> = { work: 100, ledger: 100 };

async function flood(kind: FloodKind, url: string): Promise<never> {
  const js = jetstream(await connectNats({ url, name: FLOODER }));
  const rate = new TokenBucket(RATES[kind] ?? 1_000_000);
  for (let seed = 1; ; seed += 1) {
    const batch = fc.sample<Poison>(KINDS[kind], { numRuns: BATCH, seed });
    await inParallel(batch.length, MESSAGES_AT_ONCE, async (index) => {
      await delay(rate.take(1));
      const one = batch[index];
      // What the server itself refuses reaches nobody.
      if (one !== undefined) await js.publish(one.subject, one.body).catch(() => undefined);
    });
  }
}

// It ends with whoever started it.
process.once('disconnect', () => process.exit());

const { FLOODED_URL: url } = process.env;
if (url !== undefined) await flood(process.argv[2] as FloodKind, url);
