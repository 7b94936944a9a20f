/** What the servers of the tests have in common: a folder of their own, a free loopback port, a bounded wait, an end. */
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { adopt, freeLoopbackPort } from '../../../stack/process.ts';
import { scaledMs } from '../slowness.ts';

export interface RunningServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends the server and removes its folder. Safe to call again. */
  stop(): Promise<void>;
}

export interface Launch {
  /** For messages. */
  readonly name: string;
  /** Prepares `dir` and starts the server on `port`; its output goes to pipes. */
  spawn(dir: string, port: number): Promise<ChildProcess>;
  url(port: number): string;
  /** Whether the server at `url` serves: called again and again until it does not throw. */
  probe(url: string): Promise<void>;
  readonly stopSignal: NodeJS.Signals;
}

const READY_TIMEOUT_MS = scaledMs(30_000);
const STOP_GRACE_MS = scaledMs(10_000);
const LOOK_AGAIN_MS = 25;
/** Between finding a port free and the server's taking it, another process may take it. */
const PORT_ATTEMPTS = 3;

/** @throws Error with the end of the server's output when it does not become ready. */
export async function startServer(launch: Launch): Promise<RunningServer> {
  const faults: string[] = [];
  for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt++) {
    const dir = await mkdtemp(join(tmpdir(), `isomorph-${launch.name}-`));
    const removeDir = () => rm(dir, { recursive: true, force: true });
    try {
      const outcome = await tryStart(launch, dir, await freeLoopbackPort());
      if (typeof outcome !== 'string') return { ...outcome, stop: () => outcome.stop().then(removeDir) };
      faults.push(outcome);
    } catch (thrown) {
      await removeDir();
      throw thrown;
    }
    await removeDir();
  }
  throw new Error(`${launch.name} did not start: ${faults.at(-1)}`);
}

/** A string says why it did not become ready; it has ended then. */
async function tryStart(launch: Launch, dir: string, port: number): Promise<RunningServer | string> {
  const spawned = await launch.spawn(dir, port);
  let tail = '';
  for (const output of [spawned.stdout, spawned.stderr]) {
    output?.on('data', (chunk: Buffer) => {
      tail = (tail + chunk.toString()).slice(-2000);
    });
  }
  const child = await adopt(spawned);
  const stop = async (): Promise<void> => {
    await child.stop({ graceMs: STOP_GRACE_MS, signal: launch.stopSignal });
  };
  const url = launch.url(port);
  const giveUpAt = Date.now() + READY_TIMEOUT_MS;
  while (!child.hasEnded() && Date.now() < giveUpAt) {
    const serves = await launch.probe(url).then(
      () => true,
      () => false,
    );
    // A server that lost the port to another one has ended or is about to: what answered is not ours.
    if (serves && !child.hasEnded()) return { url, port, pid: child.pid, stop };
    await delay(LOOK_AGAIN_MS);
  }
  await stop();
  return tail;
}
