/**
 * `npm run smoke:modal [-- <modal URL>]`: one look at the real Modal, for someone with a token. Uses KV, a queue and a sandbox
 * once each, and removes what it made. With ISOMORPH_SMOKE_GPU=<model>, such as T4, also a sandbox with a GPU.
 */

import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { IsomorphError } from '../shared/errors/isomorph-error.ts';
import { executionId } from '../shared/ids/ids.ts';
import type { Processor } from '../shared/plan/registry.ts';
import type { Job } from '../shared/runtime/contract.ts';
import { ModalRuntime } from '../shared/runtime/drivers/modal/modal.ts';
import { openKv } from '../shared/scratch/kv/open.ts';
import { openQueue } from '../shared/scratch/queue/open.ts';

/** Small, public, and with a shell. */
const IMAGE = 'alpine:3.20';
/** A first pull of the image is in it. */
const SANDBOX_MS = 15 * 60_000;
const EXIT = { passed: 0, failed: 1, usage: 2 } as const;

/** Repeats of its job and its secret what shows that both came. */
const SCRIPT = [
  'read -r job',
  'echo "the job has $' + '{#job} characters"',
  'echo "the secret has $' + '{#SMOKE_SECRET} characters"',
  `echo '{"isomorph":"progress","fraction":1}'`,
  'exit 7',
].join('\n');

const say = (text: string): boolean => process.stdout.write(`${text}\n`);

function expect(isRight: boolean, what: string): void {
  if (!isRight) throw new IsomorphError('ERR_INTERNAL', what);
}

const planId = `smoke-${randomBytes(6).toString('hex')}`;
const [url = 'modal:'] = process.argv.slice(2);
/** KV and queues have no app and no region. */
const scratchUrl = url.split('?', 1)[0] ?? url;

async function kv(): Promise<string> {
  const client = await openKv(scratchUrl, { timeoutMs: 60_000 });
  try {
    await client.put({ planId, key: 'text', value: Buffer.from('grüße') });
    const value = (await client.get({ planId, key: 'text' })) ?? new Uint8Array();
    expect(isUtf8(value) && Buffer.from(value).toString() === 'grüße', 'a key does not read as it was put');
    const counted = await Promise.all([1, 2, 3].map(() => client.incr({ planId, key: 'count' })));
    expect(counted.sort().join() === '1,2,3', `three increments answered ${counted}`);
    return 'put, get and three increments at once';
  } finally {
    await client.purgePlan({ planId });
    await client.close();
  }
}

async function queue(): Promise<string> {
  const client = await openQueue(scratchUrl, { timeoutMs: 60_000 });
  const at = { planId, topic: 'work' };
  try {
    const id = await client.publish({ ...at, body: Buffer.from('a message') });
    const [message] = await client.consume({ ...at, waitS: 30 });
    expect(message?.id === id, 'the message that was published did not come');
    await client.ack({ ...at, receiptHandle: message?.receiptHandle ?? '' });
    const { ready, inFlight } = await client.stats(at);
    expect(ready + inFlight === 0, 'the message is there after its ack');
    return 'publish, consume and ack';
  } finally {
    await client.purgePlan({ planId });
    await client.close();
  }
}

const processorOf = (gpu: string | undefined): Processor => ({
  ref: 'smoke/shell@1',
  description: 'says what it was given',
  image: IMAGE,
  entrypoint: ['sh', '-c', SCRIPT],
  runtime: {
    ...{ cpu: 0.125, memory_gb: 0.25, timeout_s: SANDBOX_MS / 1_000, network: 'none' },
    ...(gpu === undefined ? {} : { gpu: { model: gpu, count: 1, mem_gb: 16 } }),
  },
  adapters: ['modal'],
  secrets: { required: ['SMOKE_SECRET'] },
  inputs: { artifacts: {}, params: {} },
  outputs: [],
  scratch: [],
  read_only: false,
  cost: { usd_micro_fixed: 0, usd_micro_per_s: 0 },
});

async function sandbox(runtime: ModalRuntime, step: string, gpu?: string): Promise<string> {
  const processor = processorOf(gpu);
  const [id, deadlineMs] = [executionId(planId, step, 1), Date.now() + SANDBOX_MS];
  const named = { v: 1 as const, plan_id: planId, step_id: step, execution_id: id, attempt: 1 };
  const deadline = new Date(deadlineMs).toISOString();
  const job: Job = { ...named, processor: processor.ref, params: {}, inputs: {}, outputs: {}, deadline };
  const secrets = { SMOKE_SECRET: randomBytes(16).toString('hex') };
  let reports = 0;
  try {
    const count = () => void reports++;
    const assignment = { executionId: id, processor, job, secrets, deadlineMs };
    const run = await runtime.run(assignment, count);
    const { outcome, durationMs, log } = await run.wait();
    const text = Buffer.from(log).toString('utf8');
    expect(outcome.kind === 'exited' && outcome.exitCode === 7, `it ended as ${JSON.stringify(outcome)}:\n${text}`);
    expect(text.includes(`the job has ${JSON.stringify(job).length} characters`), `its job did not come:\n${text}`);
    expect(text.includes('the secret has 32 characters'), `its secret did not come:\n${text}`);
    expect(reports === 1, `${reports} of 1 report came`);
    const found = await (await runtime.find(assignment))?.wait();
    expect(found?.outcome.kind === 'exited', 'it is not found after its end');
    expect(Buffer.from(found?.log ?? []).includes('the secret has 32'), 'its log is not there after its end');
    return `image, job, secret, exit code, log, report, found again (${durationMs} ms by Modal's clock)`;
  } finally {
    await runtime.forget(id);
  }
}

async function main(): Promise<number> {
  let runtime: ModalRuntime;
  try {
    runtime = await ModalRuntime.open({ url });
  } catch (error) {
    if (!(error instanceof IsomorphError) || error.code !== 'ERR_CONFIG') throw error;
    say(`${error.message}: set ${error.place.expected}. Nothing was asked of Modal.`);
    return EXIT.usage;
  }
  const gpu = process.env.ISOMORPH_SMOKE_GPU;
  const steps: readonly (readonly [string, () => Promise<string>])[] = [
    ['kv', kv],
    ['queue', queue],
    ['sandbox', () => sandbox(runtime, 'cpu')],
    ...(gpu === undefined ? [] : [['sandbox with GPU', () => sandbox(runtime, 'gpu', gpu)] as const]),
  ];
  let failures = 0;
  for (const [name, step] of steps) {
    const startMs = performance.now();
    const told = await step().catch((error: unknown) => error);
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
    if (typeof told === 'string') say(`ok    ${name}: ${told}, ${seconds} s`);
    else {
      failures += 1;
      say(`FAIL  ${name}: ${told instanceof Error ? told.message : String(told)}`);
    }
  }
  await runtime.close();
  say(failures === 0 ? 'Modal does what Isomorph needs of it' : `${failures} of ${steps.length} failed`);
  return failures === 0 ? EXIT.passed : EXIT.failed;
}

process.exitCode = await main();
