/** What a suite costs: on a shared machine its seconds say little. */
import { readFileSync } from 'node:fs';

const USER_HZ = 100;

/**
 * CPU seconds, user and system, of this process and of those that it, or they, waited for. Elsewhere than on Linux of this
 * process alone.
 */
function cpuS(): number {
  if (process.platform !== 'linux') {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  }
  const stat = readFileSync('/proc/self/stat', 'utf8');
  // After the program's name, which may hold anything: utime, stime, cutime, cstime are fields 14 to 17.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / USER_HZ;
}

/** Prints it, for the runner; at the process's end. */
export const tellCpuTime = (): void => {
  process.stdout.write(`  CPU: ${cpuS().toFixed(2)} s\n`);
};

export function readCpuTime(output: string): number | undefined {
  const told = /^ {2}CPU: (\d+\.\d+) s$/m.exec(output)?.[1];
  return told === undefined ? undefined : Number(told);
}
