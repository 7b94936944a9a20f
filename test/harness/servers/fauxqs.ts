/** fauxqs: SQS with what FIFO queues promise, from npm. It keeps nothing over a restart and checks no signatures. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type RunningServer, startServer } from './running.ts';

const MAIN = fileURLToPath(new URL('./fauxqs-main.ts', import.meta.url));

async function answersAsSqs(url: string): Promise<void> {
  const answer = await fetch(`${url}/health`);
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`fauxqs answered ${answer.status}`);
}

/** An SQS of its own on loopback, empty; any credentials will do, and the process gets some. */
export function startSqsServer(): Promise<RunningServer> {
  process.env.AWS_ACCESS_KEY_ID ??= 'test';
  process.env.AWS_SECRET_ACCESS_KEY ??= 'test';
  return startServer({
    name: 'fauxqs',
    spawn: async (_, port) =>
      spawn(process.execPath, ['--import', 'tsx', MAIN, `${port}`], { stdio: ['ignore', 'pipe', 'pipe'] }),
    url: (port) => `http://127.0.0.1:${port}`,
    probe: answersAsSqs,
    stopSignal: 'SIGTERM',
  });
}
