/** Does to its runtime what its params say. Needs no SDK and no network, so that it tests the runtime alone. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Deeds, eatMemory, fillDisk, probe, startProcesses } from './deeds.ts';

interface Params extends Deeds {
  readonly mode?: string;
  readonly exit_code?: number;
  readonly signal?: NodeJS.Signals;
  readonly megabytes?: number;
}

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

function firstLine(): Promise<string> {
  const lines = createInterface({ input: process.stdin });
  return new Promise((resolve) => {
    lines.once('line', (line) => {
      lines.close();
      resolve(line);
    });
  });
}

/** A process of our own group that would outlive us. */
function leaveGrandchild(): void {
  const { pid } = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
  say(`grandchild ${pid}`);
}

/** Processes in sessions of their own: one knows our environment alone, the other our folder alone. */
function leaveDaemons(): void {
  const forever = 'setInterval(() => {}, 1e6)';
  const options = { detached: true, stdio: 'ignore' } as const;
  const daemons = [
    spawn(process.execPath, ['-e', forever], { ...options, cwd: '/' }),
    spawn(process.execPath, ['-e', forever], { ...options, env: {} }),
  ];
  for (const { pid } of daemons) say(`daemon ${pid}`);
}

async function flood(megabytes: number): Promise<void> {
  const megabyte = `${'x'.repeat(1023)}\n`.repeat(1024);
  for (let count = 0; count < megabytes; count++) {
    await new Promise((resolve) => process.stdout.write(megabyte, resolve));
  }
  say('the end');
}

const job = await firstLine();
const params = (JSON.parse(job) as { params: Params }).params;

say(`token ${randomUUID()}`);
say(JSON.stringify({ isomorph: 'progress', fraction: 0.5, message: 'begun' }));

switch (params.mode) {
  case 'look':
    say(`job ${job}`);
    say(`env ${JSON.stringify(process.env)}`);
    say(
      `folders ${JSON.stringify({ cwd: readdirSync('.'), temp: readdirSync(process.env.TMPDIR ?? '/nonexistent') })}`,
    );
    break;
  case 'report':
    say(JSON.stringify({ isomorph: 'error', code: 'ERR_EXIT', message: 'the first word' }));
    say(JSON.stringify({ isomorph: 'error', code: 'ERR_PARAMS', message: 'the last word', retryable: false }));
    break;
  case 'signal':
    process.kill(process.pid, params.signal);
    setInterval(() => undefined, 1e6);
    break;
  case 'hang':
    setInterval(() => undefined, 1e6);
    break;
  case 'stubborn':
    process.on('SIGTERM', () => say('not yet'));
    setInterval(() => undefined, 1e6);
    break;
  case 'grandchild':
    leaveGrandchild();
    break;
  case 'hanging grandchild':
    leaveGrandchild();
    setInterval(() => undefined, 1e6);
    break;
  case 'daemons':
    leaveDaemons();
    break;
  case 'flood':
    await flood(params.megabytes ?? 1);
    break;
  case 'probe':
    say(`probe ${JSON.stringify(await probe(params))}`);
    break;
  case 'eat memory':
    eatMemory();
    break;
  case 'start processes':
    say(`started ${await startProcesses()}`);
    break;
  case 'fill the disk':
    say(`filled ${JSON.stringify(fillDisk(process.env.TMPDIR ?? '/tmp'))}`);
    break;
  case 'until told':
    // Ends when somebody gets a URL; for tests that do something to a run that is surely under way.
    await fetch(String(params.urls?.[0]));
    break;
  default:
    break;
}

if (params.exit_code !== undefined) process.exit(params.exit_code);
if (params.mode === 'grandchild' || params.mode === 'daemons') process.exit(0);
