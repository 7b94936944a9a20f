/** The matrix driver × case of KV and queues, as the capabilities decide it: `docs/scratch.md` has it, `npm run matrix` runs it. */
import { kvCapabilities } from '../shared/scratch/kv/open.ts';
import { queueCapabilities } from '../shared/scratch/queue/open.ts';
import { type Case, type CaseVerdict, type RestartKind, verdictOf } from '../test/scratch/conformance.ts';
import { KV_CASES } from '../test/scratch/kv-conformance.ts';
import { QUEUE_CASES } from '../test/scratch/queue-conformance.ts';

/** A driver as the suites test it: where, and what they do to its backend. */
interface Tested {
  readonly driver: string;
  readonly url: string;
  readonly restartIs: RestartKind | undefined;
}

const TESTED: Readonly<Record<'memory' | 'nats' | 'redis' | 'sqs' | 'modal', Tested>> = {
  memory: { driver: 'memory', url: 'memory:', restartIs: undefined },
  nats: { driver: 'nats', url: 'nats:', restartIs: 'kill' },
  redis: { driver: 'redis', url: 'redis://localhost', restartIs: undefined },
  sqs: { driver: 'sqs', url: 'sqs://us-east-1', restartIs: 'outage' },
  modal: { driver: 'modal', url: 'modal:', restartIs: 'outage' },
};

/** What each case comes to with each driver. */
export interface Matrix {
  readonly drivers: readonly string[];
  readonly rows: readonly { readonly title: string; readonly verdicts: readonly CaseVerdict[] }[];
}

async function matrixOf<Client, Capabilities>(
  cases: readonly Case<Client, Capabilities>[],
  tested: readonly Tested[],
  capabilitiesOf: (url: string) => Promise<Capabilities>,
): Promise<Matrix> {
  const columns = await Promise.all(tested.map(async (one) => ({ ...one, has: await capabilitiesOf(one.url) })));
  return {
    drivers: columns.map(({ driver }) => driver),
    rows: cases.map((one) => ({
      title: one.title,
      verdicts: columns.map(({ has, restartIs }) => verdictOf(one, has, restartIs)),
    })),
  };
}

const { memory, nats, redis, sqs, modal } = TESTED;

export const kvMatrix = (): Promise<Matrix> => matrixOf(KV_CASES, [memory, nats, redis, modal], kvCapabilities);
export const queueMatrix = (): Promise<Matrix> =>
  matrixOf(QUEUE_CASES, [memory, nats, redis, sqs, modal], queueCapabilities);
