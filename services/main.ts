import { hostname } from 'node:os';
import { pino } from 'pino';
import { readConfig } from '../shared/config/config.ts';
import { IsomorphError } from '../shared/errors/isomorph-error.ts';
import { SERVICES, type ServiceName } from '../shared/ledger/events.ts';
import { startService } from './compose.ts';

/** `npm run service -- <name>`: one service, configured by its environment, until it is told to end. */

const isService = (name: string | undefined): name is ServiceName => SERVICES.some((service) => service === name);

function fail(error: unknown): never {
  const text = error instanceof IsomorphError ? `error ${error.code}: ${error.message}` : String(error);
  process.stderr.write(`${text}\n`);
  process.exit(error instanceof IsomorphError && error.code === 'ERR_USAGE' ? 2 : 1);
}

async function main(): Promise<void> {
  const [name] = process.argv.slice(2);
  if (!isService(name)) {
    throw new IsomorphError('ERR_USAGE', `usage: npm run service -- <${SERVICES.join('|')}>`);
  }
  const config = readConfig(process.env, [name]);
  const log = pino({ level: config.logLevel, base: null });
  const instance = `${hostname()}-${process.pid}`;
  const service = await startService(name, { config, env: process.env, log, instance });
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  await Promise.race([ended, service.failure]);
  await service.stop();
}

main().then(() => process.exit(0), fail);
