import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ensureNode24, inNode24 } from './harness/servers/node24.ts';

/** `npm run test:node24 [-- <part of a file name>…]`: the fast suites on Debian's nodejs 24 (Debian, as root). */

const PROJECT = path.resolve(fileURLToPath(new URL('..', import.meta.url)));

await ensureNode24();
const [versionCommand, versionArgs] = inNode24(PROJECT, ['--version']);
const version = execFileSync(versionCommand, [...versionArgs], { encoding: 'utf8' }).trim();
const [command, args] = inNode24(PROJECT, ['--import', 'tsx', 'test/run.ts', '--fast', ...process.argv.slice(2)]);
const child = spawn(command, [...args], { stdio: ['ignore', 'pipe', 'inherit'] });
const closed = once(child, 'close');
// The runner ends its suites itself.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
for await (const line of createInterface({ input: child.stdout })) {
  const counts = /^\d+ passed, \d+ failed, \d+ skipped$/.test(line);
  process.stdout.write(counts ? `on Node ${version}: ${line}\n` : `${line}\n`);
}
const [code] = (await closed) as [number | null];
process.exitCode = code ?? 1;
