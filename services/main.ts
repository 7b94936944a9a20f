import { hostname } from 'node:os';
import { pino } from 'pino';
import { IsomorphError } from '../shared/errors/isomorph-error.ts';
import { readConfig } from './common/config/config.ts';
import { PROCESSES, type ProcessName } from './common/services.ts';
import { untilReachable } from './common/until-reachable.ts';
import { runSetup, startService } from './compose.ts';

/**
 * `npm run service -- <name>`: one service, configured by its environment, until it is told to end; or `setup`, which
 * prepares a deployment and ends.
 */

function fail(error: unknown): never {
  const text = error instanceof IsomorphError ? `error ${error.code}: ${error.message}` : String(error);
  process.stderr.write(`${text}\n`);
  process.exit(error instanceof IsomorphError && error.code === 'ERR_USAGE' ? 2 : 1);
}

const isKnown = (name: string | undefined): name is ProcessName => PROCESSES.some((known) => known === name);

async function main(): Promise<void> {
  const [name] = process.argv.slice(2);
  if (!isKnown(name)) {
    throw new IsomorphError('ERR_USAGE', `usage: npm run service -- <${PROCESSES.join('|')}>`);
  }
  const config = readConfig(process.env, [name]);
  const log = pino({ level: config.logLevel, base: null });
  const instance = `${hostname()}-${process.pid}`;
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  const about = log.child({ service: name });
  if (name === 'setup') {
    await Promise.race([untilReachable(about, () => runSetup({ config, log })), ended]);
    return;
  }
  const starting = untilReachable(about, () => startService(name, { config, env: process.env, log, instance }));
  const service = await Promise.race([starting, ended]);
  // Told to end before it has started: there is nothing under way.
  if (service === undefined) return;
  await Promise.race([ended, service.failure]);
  await service.stop();
}

main().then(() => process.exit(0), fail);
