import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ModalClient } from 'modal';
import { newOperationId, objectName } from '../../shared/providers/modal/names.ts';
import { pickleText } from '../../shared/providers/modal/pickle.ts';
import { callOptions } from '../../shared/providers/modal/sdk.ts';
import { openKv } from '../../shared/scratch/kv/open.ts';
import { messageKey, newMessageId, stepPrefix, writeTicket } from '../../shared/scratch/queue/drivers/modal/message.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import { BARE_PLAN, type Backend, type Contest, PLAN, TOPIC, VALUE } from './contender.ts';

const PLANE = fileURLToPath(new URL('./modal-plane.ts', import.meta.url));
const CREATE_IF_MISSING = 1;
/** The driver looks through the Dict twice in a visibility timeout: not within a bench. */
const VISIBILITY_S = 3_600;
/** Of a call, the same for both. */
const LIMITS = callOptions();

async function startPlane(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', PLANE], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  Object.assign(process.env, JSON.parse(String(line)));
  return child;
}

const stored = (value: unknown): Buffer => Buffer.from(pickleText(JSON.stringify(value)));
const text = Buffer.from(VALUE).toString();

/** A Dict by the SDK's own client, as bare as it is. */
async function bareDict(sdk: ModalClient, deploymentName: string) {
  const { cpClient } = sdk;
  const place = { deploymentName, environmentName: '', objectCreationType: CREATE_IF_MISSING };
  const { dictId } = await cpClient.dictGetOrCreate(place);
  return {
    get: (key: string) => cpClient.dictGet({ dictId, key: pickleText(key) }, LIMITS),
    pop: (key: string) => cpClient.dictPop({ dictId, key: pickleText(key) }, LIMITS),
    put: (key: string, value: unknown, ifNotExists = false) =>
      cpClient.dictUpdate({ dictId, updates: [{ key: pickleText(key), value: stored(value) }], ifNotExists }, LIMITS),
  };
}

async function kvContest(sdk: ModalClient, kv: Awaited<ReturnType<typeof openKv>>): Promise<Contest> {
  const dict = await bareDict(sdk, objectName('kv', BARE_PLAN));
  return {
    name: 'modal_kv',
    ...{ opsPerStep: 2, steps: 200 },
    async ours(index) {
      const key = `key ${index % 1_000}`;
      await kv.put({ planId: PLAN, key, value: VALUE });
      await kv.get({ planId: PLAN, key });
    },
    async bare(index) {
      const key = `k:key ${index % 1_000}`;
      await dict.put(key, { e: newOperationId(), t: text });
      const { value } = await dict.get(key);
      if (value === undefined) throw new Error('what was put is not there');
    },
  };
}

async function queueContest(sdk: ModalClient, queue: Awaited<ReturnType<typeof openQueue>>): Promise<Contest> {
  const name = objectName('queue', BARE_PLAN);
  const [dict, notes] = [await bareDict(sdk, name), await bareDict(sdk, objectName('leases', BARE_PLAN))];
  const tickets = await sdk.queues.fromName(name, { createIfMissing: true });
  return {
    name: 'modal_queue',
    ...{ opsPerStep: 3, steps: 100 },
    async ours() {
      await queue.publish({ planId: PLAN, topic: TOPIC, body: VALUE });
      const [message] = await queue.consume({ planId: PLAN, topic: TOPIC, visibilityTimeoutS: VISIBILITY_S });
      await queue.ack({ planId: PLAN, topic: TOPIC, receiptHandle: message?.receiptHandle ?? '' });
    },
    /** The driver's calls (docs/adr/0059): an entry and its ticket, a lease, the entry, a note; the end, and what is cleared then. */
    async bare() {
      const id = newMessageId(Date.now(), true);
      await dict.put(messageKey(TOPIC, id), { t: text });
      await tickets.put(writeTicket({ id, n: 0, d: 0 }), { timeoutMs: 1, partition: TOPIC });
      const [ticket] = await tickets.getMany(1, { timeoutMs: 0, partition: TOPIC });
      const [taken = ''] = String(ticket).split(' ');
      const step = stepPrefix(TOPIC, taken);
      const x = Date.now();
      await dict.put(`${step}1`, { is: 'leased', o: newOperationId(), d: 1, x }, true);
      await dict.get(messageKey(TOPIC, taken));
      await notes.put(`${TOPIC}:bare`, { leases: [{ id: taken, n: 1, d: 1, x }] });
      await dict.put(`${step}2`, { is: 'acked', o: newOperationId(), d: 1 }, true);
      await dict.pop(messageKey(TOPIC, taken));
      await Promise.all([dict.pop(`${step}1`), dict.pop(`${step}2`)]);
    },
  };
}

/** On the control plane of the tests, in a process of its own: what the driver adds to a call, not what Modal does. */
export async function startModal(): Promise<Backend> {
  const plane = await startPlane();
  const [kv, queue, bare] = [await openKv('modal:'), await openQueue('modal:'), new ModalClient()];
  return {
    contests: [await kvContest(bare, kv), await queueContest(bare, queue)],
    async stop() {
      await Promise.all([kv.close(), queue.close()]);
      bare.close();
      plane.stdin?.end();
      await once(plane, 'exit');
    },
  };
}
