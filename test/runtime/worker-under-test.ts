/** Real workers on a real server with the accounts of a deployment, for the tests of the `worker` runtime. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NatsConnection } from '@nats-io/transport-node';
import { connectNats } from '../../shared/nats/connect.ts';
import { WorkerRuntime, type WorkerRuntimeOptions } from '../../shared/runtime/drivers/worker/worker.ts';
import { type NatsServerHandle, startNatsServer } from '../../stack/nats/server.ts';
import { natsBinary } from '../stack/fixture.ts';

export const WORKER_MAIN = fileURLToPath(new URL('./worker-main.ts', import.meta.url));
export const PROBE_TOKEN = 'tok"en $HOME\nline';

export interface WorkerProcess {
  readonly id: string;
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
}

export interface WorkerServer {
  readonly server: NatsServerHandle;
  readonly urls: { readonly worker: string; readonly service: string };
  /** A service inside CORE. */
  readonly core: NatsConnection;
  runtime(options?: Partial<WorkerRuntimeOptions>): WorkerRuntime;
  startWorker(options?: {
    readonly slots?: number;
    readonly version?: string;
    readonly main?: string;
  }): Promise<WorkerProcess>;
  /** Ends the workers that were started so far. */
  endWorkers(): Promise<void>;
  stop(): Promise<void>;
}

/** Short, so that silence is noticed within the time of a test. */
const QUICK = { tenureMs: 10_000, unservedMs: 10_000, findMs: 2_000 };

/** The first line that a process writes. */
export async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('its output is not read');
  const [bytes] = (await once(child.stdout, 'data')) as [Buffer];
  return bytes.toString('utf8').trim();
}

export async function startWorkerServer(): Promise<WorkerServer> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'isomorph-workers-'));
  const server = await startNatsServer({ binary: await natsBinary(), dir });
  const as = (user: 'worker' | 'service'): string => {
    const { user: name, pass } = server.credentials[user];
    return server.url.replace('nats://', `nats://${name}:${pass}@`);
  };
  const urls = { worker: as('worker'), service: as('service') };
  const core = await connectNats({ url: urls.service, name: 'test-core', waitMs: 30_000 });
  const runtimes: WorkerRuntime[] = [];
  const workers: WorkerProcess[] = [];
  const endWorkers = async (): Promise<void> => {
    const ended = workers.splice(0);
    for (const { child } of ended) child.kill('SIGKILL');
    await Promise.all(ended.map(({ exited }) => exited));
  };
  return {
    server,
    urls,
    core,
    runtime(options = {}) {
      const runtime = new WorkerRuntime({ connection: core, ...QUICK, ...options });
      runtimes.push(runtime);
      return runtime;
    },
    async startWorker({ slots = 16, version = '1.0.0', main = WORKER_MAIN } = {}) {
      const { PATH = '' } = process.env;
      const args = ['--import', import.meta.resolve('tsx'), main, urls.worker, String(slots), version];
      const child = spawn(process.execPath, args, {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { PATH, PROBE_TOKEN, OTHER: 'ü' },
      });
      const worker = { child, exited: once(child, 'exit'), id: await firstLine(child) };
      workers.push(worker);
      return worker;
    },
    endWorkers,
    async stop() {
      await endWorkers();
      await Promise.all(runtimes.map((runtime) => runtime.close()));
      await core.close();
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
