/** moto: S3, SQS and Secrets Manager in one process, without signatures. */
import { spawn } from 'node:child_process';
import { available } from './detect.ts';
import { inForky } from './forky.ts';
import { type RunningServer, startServer } from './running.ts';

async function answersAsMoto(url: string): Promise<void> {
  const answer = await fetch(`${url}/moto-api/data.json`);
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`moto answered ${answer.status}`);
}

/**
 * A moto of its own on loopback, empty; any credentials will do.
 * @throws Error when it is not there; ask `available('moto')` first.
 */
export async function startMoto(): Promise<RunningServer> {
  const found = await available('moto');
  if (!found.ok) throw new Error(found.reason);
  return startServer({
    name: 'moto',
    spawn: async (dir, port) => {
      const [program, args] = inForky(dir, ['/usr/bin/moto_server', '-H', '127.0.0.1', '-p', `${port}`]);
      return spawn(program, [...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    },
    url: (port) => `http://127.0.0.1:${port}`,
    probe: answersAsMoto,
    stopSignal: 'SIGTERM',
  });
}
