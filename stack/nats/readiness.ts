/** Whether a started nats-server is one that the ledger may be trusted to. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';

export interface ListeningPorts {
  readonly port: number;
  readonly monitorPort: number;
}

const LOOK_AGAIN_MS = 15;
const ANSWER_TIMEOUT_MS = 2_000;

/** The file in which a server of this pid says what it listens on; undefined until it is there and whole. */
export async function readPortsFile(dir: string, pid: number): Promise<ListeningPorts | undefined> {
  const name = (await readdir(dir)).find((file) => file.endsWith(`_${pid}.ports`));
  if (name === undefined) return undefined;
  try {
    const { nats, monitoring } = JSON.parse(await readFile(join(dir, name), 'utf8')) as Record<string, string[]>;
    const [client, monitor] = [nats?.[0], monitoring?.[0]];
    if (client === undefined || monitor === undefined) return undefined;
    return { port: Number(new URL(client).port), monitorPort: Number(new URL(monitor).port) };
  } catch (thrown) {
    // Read while it was being written: the next look finds it whole.
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

type Answer = Readonly<Record<string, unknown>>;

/** undefined while the server does not answer, or answers that it is not ready. */
async function ask(monitorUrl: string, path: string): Promise<Answer | undefined> {
  const given = await asked(monitorUrl, path);
  return given?.ok === true ? given.answer : undefined;
}

/** undefined while the server does not answer. */
async function asked(monitorUrl: string, path: string): Promise<{ ok: boolean; answer: Answer } | undefined> {
  try {
    const response = await fetch(`${monitorUrl}${path}`, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    return { ok: response.ok, answer: (await response.json()) as Answer };
  } catch (thrown) {
    if (thrown instanceof TypeError || thrown instanceof SyntaxError) return undefined;
    if (thrown instanceof DOMException && thrown.name === 'TimeoutError') return undefined;
    throw thrown;
  }
}

/**
 * Why a running server cannot write a stream any more: its write failed once, as on a full disk.
 * @returns undefined when it can, does not answer, or is not ready for another reason
 */
export async function writeFault(monitorUrl: string): Promise<string | undefined> {
  const error = (await asked(monitorUrl, '/healthz'))?.answer.error;
  return typeof error === 'string' && error.includes('write error') ? error : undefined;
}

/**
 * What is wrong with a server that says it is healthy: /healthz says so even with JetStream off.
 * @returns undefined when nothing is.
 */
export function durabilityFault(varz: unknown, jsz: unknown): string | undefined {
  if ((jsz as Answer).disabled === true) return 'JetStream is off';
  const jetstream = (varz as { jetstream?: { config?: { sync_always?: unknown } } }).jetstream;
  if (jetstream?.config?.sync_always !== true) return 'JetStream does not sync every write to the disk';
  return undefined;
}

/**
 * Waits until the server is ready and checks that it is durable.
 * @param hasEnded tells that the server is gone, so that waiting is over.
 * @returns undefined when the server ended or `timeoutMs` passed.
 * @throws IsomorphError `ERR_CONFIG` when it runs, but not as the ledger needs it.
 */
export async function waitUntilReady(options: {
  portsDir: string;
  pid: number;
  timeoutMs: number;
  hasEnded: () => boolean;
}): Promise<ListeningPorts | undefined> {
  const giveUpAt = Date.now() + options.timeoutMs;
  for (; !options.hasEnded() && Date.now() < giveUpAt; await delay(LOOK_AGAIN_MS)) {
    const ports = await readPortsFile(options.portsDir, options.pid);
    if (ports === undefined) continue;
    const monitorUrl = `http://127.0.0.1:${ports.monitorPort}`;
    if ((await ask(monitorUrl, '/healthz')) === undefined) continue;
    const [varz, jsz] = [await ask(monitorUrl, '/varz'), await ask(monitorUrl, '/jsz')];
    if (varz === undefined || jsz === undefined) continue;
    const fault = durabilityFault(varz, jsz);
    if (fault === undefined) return ports;
    throw new IsomorphError('ERR_CONFIG', `nats-server runs, but ${fault}`, {
      expected: 'jetstream { sync_interval: always }',
    });
  }
  return undefined;
}
