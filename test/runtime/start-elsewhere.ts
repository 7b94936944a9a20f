import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Adapter } from '../../shared/ids/adapter.ts';
import type { Assignment } from '../../shared/runtime/runtime.ts';

const START_MAIN = fileURLToPath(new URL('./start-main.ts', import.meta.url));

export interface Elsewhere {
  readonly adapter: Adapter;
  readonly processorsDir: string;
  readonly stateDir: string;
  /** Beside what this process has. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Another process that opens a runtime and runs one execution. It says a line when that has begun. */
export function startElsewhere({ adapter, processorsDir, stateDir, env = {} }: Elsewhere, assignment: Assignment) {
  const args = ['--import', import.meta.resolve('tsx'), START_MAIN, adapter, processorsDir, stateDir];
  return spawn(process.execPath, [...args, JSON.stringify(assignment)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
}

/** Runs it from a process that is killed when the run has begun, and something more has come about. */
export async function startAndDie(
  elsewhere: Elsewhere,
  assignment: Assignment,
  andThen: () => Promise<unknown> = async () => undefined,
): Promise<void> {
  const starter = startElsewhere(elsewhere, assignment);
  try {
    await once(starter.stdout, 'data');
    await andThen();
  } finally {
    starter.kill('SIGKILL');
    await once(starter, 'exit');
  }
}
