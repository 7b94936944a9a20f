import { hostname } from 'node:os';
import { pino } from 'pino';
import { IsomorphError } from '../shared/errors/isomorph-error.ts';
import { readConfig } from './common/config/config.ts';
import { SERVICES, type ServiceName } from './common/services.ts';
import { setUp, startGateway, startService } from './compose.ts';

/**
 * `npm run service -- <name>`: one service or the gateway, configured by its environment, until it is told to end; or
 * `setup`, which prepares a deployment and ends.
 */

const GATEWAY = 'gateway';
const SETUP = 'setup';

const isKnown = (name: string | undefined): name is ServiceName | typeof GATEWAY =>
  name === GATEWAY || SERVICES.some((service) => service === name);

interface Running {
  readonly failure: Promise<never>;
  stop(): Promise<void>;
}

async function start(name: ServiceName | typeof GATEWAY): Promise<Running> {
  const config = readConfig(process.env, name === GATEWAY ? [] : [name]);
  const log = pino({ level: config.logLevel, base: null });
  if (name === GATEWAY) return { ...(await startGateway({ config, log })), failure: new Promise(() => undefined) };
  const instance = `${hostname()}-${process.pid}`;
  return startService(name, { config, env: process.env, log, instance });
}

function fail(error: unknown): never {
  const text = error instanceof IsomorphError ? `error ${error.code}: ${error.message}` : String(error);
  process.stderr.write(`${text}\n`);
  process.exit(error instanceof IsomorphError && error.code === 'ERR_USAGE' ? 2 : 1);
}

async function main(): Promise<void> {
  const [name] = process.argv.slice(2);
  if (name === SETUP) {
    const config = readConfig(process.env, []);
    return setUp({ config, log: pino({ level: config.logLevel, base: null }) });
  }
  if (!isKnown(name)) {
    throw new IsomorphError('ERR_USAGE', `usage: npm run service -- <${[...SERVICES, GATEWAY, SETUP].join('|')}>`);
  }
  const service = await start(name);
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  await Promise.race([ended, service.failure]);
  await service.stop();
}

main().then(() => process.exit(0), fail);
