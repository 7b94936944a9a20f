/** A deployment of 8ebb686 as its store holds it: streams and consumers by their names of then, and a plan under way. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { blake3Hex } from '../../shared/hash/blake3.ts';
import { canonicalBytes, canonicalText } from '../../shared/hash/canonical.ts';
import { connectNats } from '../../shared/nats/connect.ts';
import { openArtifactStore } from '../../shared/world/open.ts';
import { type NatsLogin, startNatsServer } from '../../stack/nats/server.ts';
import { natsBinary } from './fixture.ts';

const GOLDEN = new URL('../ledger/golden/v1/demo/', import.meta.url);
const PENGUINS = new URL('../../examples/penguins/penguins.csv', import.meta.url);

export const PLAN = 'penguins-v1';

const WORK_QUEUE = { retention: 'workqueue', storage: 'file', num_replicas: 1 } as const;

const STREAMS = [
  { name: 'COMMANDS', subjects: ['plans.submit', 'plans.cancel'], ...WORK_QUEUE },
  {
    name: 'LEDGER',
    subjects: ['ledger.>'],
    retention: 'limits',
    storage: 'file',
    num_replicas: 1,
    discard: 'new',
    deny_delete: true,
    deny_purge: true,
    republish: { src: 'ledger.>', dest: 'committed.ledger.>' },
    compression: 's2',
    allow_direct: true,
  },
  { name: 'WORK', subjects: ['work.>'], ...WORK_QUEUE },
  { name: 'FACTS', subjects: ['facts.>'], ...WORK_QUEUE },
] as const;

export const CONSUMERS = [
  { stream: 'COMMANDS', durable: 'admission' },
  { stream: 'LEDGER', durable: 'dispatcher' },
  { stream: 'LEDGER', durable: 'settler' },
  { stream: 'WORK', durable: 'dispatcher-mock', filter: 'work.mock' },
  { stream: 'WORK', durable: 'dispatcher-local', filter: 'work.local' },
  { stream: 'WORK', durable: 'dispatcher-modal', filter: 'work.modal' },
  { stream: 'WORK', durable: 'dispatcher-timers', filter: 'work.timer' },
  { stream: 'WORK', durable: 'dispatcher-purges', filter: 'work.purge' },
  { stream: 'FACTS', durable: 'sampler' },
] as const;

/** The streams and consumers that the setup of 8ebb686 made. */
export async function layOut(jsm: JetStreamManager): Promise<void> {
  for (const stream of STREAMS) await jsm.streams.add({ ...stream, subjects: [...stream.subjects] });
  for (const { stream, durable, ...more } of CONSUMERS) {
    await jsm.consumers.add(stream, {
      durable_name: durable,
      ack_policy: 'explicit',
      deliver_policy: 'all',
      ...('filter' in more ? { filter_subject: more.filter } : {}),
    });
  }
}

type RawEvent = Record<string, unknown> & { readonly kind: string; readonly data: Record<string, unknown> };

/** The first `count` events of the golden ledger as if they had been written now, each a commit of its own. */
async function eventsOfNow(count: number): Promise<RawEvent[]> {
  const lines = (await readFile(new URL(`${PLAN}.ndjson`, GOLDEN), 'utf8')).split('\n').slice(0, count);
  const now = Date.now();
  const events: RawEvent[] = [];
  for (const line of lines) {
    const { this_hash: _, ...event } = JSON.parse(line) as RawEvent;
    const data = { ...event.data } as Record<string, unknown>;
    if ('deadline' in data) data.deadline = new Date(now + 3_600_000).toISOString();
    if ('not_before' in data) data.not_before = new Date(now).toISOString();
    const prev = events.at(-1)?.this_hash ?? null;
    const open = { ...event, data, ts: new Date(now).toISOString(), prev_hash: prev };
    events.push({ ...open, this_hash: `blake3:${blake3Hex(canonicalBytes(open))}` } as unknown as RawEvent);
  }
  return events;
}

const SCHEDULED = 6;

/** The plan is admitted, and its first two executions are scheduled. */
async function writePlan(connection: NatsConnection): Promise<void> {
  const js = jetstream(connection);
  for (const event of await eventsOfNow(SCHEDULED)) {
    const { seq } = await js.publish(`ledger.${PLAN}.${event.kind}`, canonicalText(event));
    if (event.kind !== 'execution.scheduled') continue;
    const { execution_id, not_before } = event.data;
    await js.publish('work.mock', JSON.stringify({ plan_id: PLAN, execution_id, not_before, ledger_seq: seq }));
  }
}

/** Takes and acknowledges `count` messages, or leaves the last one under way. */
async function take(connection: NatsConnection, place: { stream: string; durable: string }, count: number, ack = true) {
  const consumer = await jetstream(connection).consumers.get(place.stream, place.durable);
  for await (const message of await consumer.fetch({ max_messages: count, expires: 5_000 })) {
    if (ack) await message.ackAck();
  }
}

/** Files of the World that the plan names, under the paths and CIDs of then. */
async function putFiles(home: string): Promise<void> {
  const store = await openArtifactStore(pathToFileURL(path.join(home, 'world')).href);
  const put = async (worldPath: string, data: Uint8Array): Promise<void> => {
    await store.putBytes({ worldPath, data, contentType: 'application/octet-stream' });
  };
  try {
    const admitted = (await eventsOfNow(2))[1]?.data as { admitted_path: string };
    // The fixture is laid out for people; what its CID names is the canonical form.
    await put(
      admitted.admitted_path,
      canonicalBytes(JSON.parse(await readFile(new URL(`${PLAN}.admitted.json`, GOLDEN), 'utf8'))),
    );
    await put('/artifacts/inputs/penguins.csv', await readFile(PENGUINS));
  } finally {
    await store.close();
  }
}

export interface LeftBehind {
  /** What its services gave as name and password. */
  readonly login: NatsLogin;
  /** The last commit that its dispatcher and its settler had taken in. */
  readonly followed: number;
}

/**
 * Leaves in `home` what a stack of 8ebb686 had when it was killed: {@link PLAN} with two executions to run, one of them
 * in the hands of its dispatcher, two commits that its followers have not seen, and a command that nobody took.
 */
export async function leaveBehind(home: string, command: unknown): Promise<LeftBehind> {
  const server = await startNatsServer({ binary: await natsBinary(), dir: path.join(home, 'nats') });
  const { admin, service } = server.credentials;
  const connection = await connectNats({
    url: `nats://${admin.user}:${admin.pass}@127.0.0.1:${server.port}`,
    name: 'old',
  });
  try {
    await layOut(await jetstreamManager(connection));
    await writePlan(connection);
    const followed = SCHEDULED - 2;
    for (const durable of ['dispatcher', 'settler']) await take(connection, { stream: 'LEDGER', durable }, followed);
    await take(connection, { stream: 'WORK', durable: 'dispatcher-mock' }, 1, false);
    await jetstream(connection).publish('plans.submit', JSON.stringify(command));
    await putFiles(home);
    return { login: { user: 'service', pass: service.pass }, followed };
  } finally {
    await connection.close();
    await server.stop();
  }
}

export const projectFolder = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
