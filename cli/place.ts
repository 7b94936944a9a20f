import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { IsomorphError } from '../shared/errors/isomorph-error.ts';
import type { StackInfo } from '../stack/embedded.ts';
import type { Terminal } from './terminal.ts';

/** Where this project lies, whatever folder a command is called in. */
export const PROJECT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

export interface NatsUrls {
  /** For commands of whoever has no name of its own. */
  readonly client: string;
  /** For reading the ledger and following it live. */
  readonly auditor: string;
  /** For looking at streams, as a service may. */
  readonly service: string;
  /** For changing streams. */
  readonly admin: string;
}

export interface ArtifactPlace {
  readonly url: string;
  readonly gatewayUrl: string | undefined;
  readonly gatewayKeyFile: string | undefined;
}

/** What a command can reach; undefined for what nothing names. */
export interface Place {
  readonly source: 'environment' | 'stack.json';
  readonly nats: NatsUrls | undefined;
  /** Who commands, by ISOMORPH_PRINCIPAL. */
  readonly principal: string | undefined;
  /** Where each principal of a stack commands; undefined when the one URL of NATS is whoever it is. */
  readonly principals: Readonly<Record<string, string>> | undefined;
  readonly databaseUrl: string | undefined;
  readonly artifacts: ArtifactPlace | undefined;
  readonly secretsUrl: string | undefined;
  readonly kvUrl: string | undefined;
  readonly queueUrl: string | undefined;
  readonly adapters: readonly string[];
}

type Env = Terminal['env'];

/** A file as a person would type it: relative inside the current folder, absolute outside. */
export function shownPath(file: string, cwd: string): string {
  const relative = path.relative(cwd, file);
  if (relative === '') return '.';
  return relative.startsWith('..') || path.isAbsolute(relative) ? file : relative;
}

const given = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

export const homeOf = ({ env, cwd }: Pick<Terminal, 'env' | 'cwd'>): string =>
  path.resolve(cwd, given(env.ISOMORPH_HOME) ?? '.isomorph');

/** The registry of the environment, else that of the running stack, else that of the project. */
export const registryOf = ({ env, cwd }: Pick<Terminal, 'env' | 'cwd'>, stack: StackInfo | undefined): string => {
  const named = given(env.ISOMORPH_REGISTRY);
  return named === undefined ? (stack?.registry ?? path.join(PROJECT, 'registry')) : path.resolve(cwd, named);
};

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * The stack that `isomorph dev` runs on a home folder; undefined when none does.
 * @throws ERR_CONFIG for a stack.json that cannot be read.
 */
export function runningStack(home: string): StackInfo | undefined {
  const file = path.join(home, 'stack.json');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new IsomorphError('ERR_CONFIG', `${file} cannot be read`, {}, error);
  }
  let info: StackInfo;
  try {
    info = JSON.parse(text) as StackInfo;
  } catch (error) {
    throw new IsomorphError('ERR_CONFIG', `${file} is no JSON`, { expected: 'what `npm run dev` wrote' }, error);
  }
  if (info.v !== 1) throw new IsomorphError('ERR_CONFIG', `${file} is of another version`, { expected: '"v": 1' });
  // A stack that was killed leaves its file behind.
  return isRunning(info.pid) ? info : undefined;
}

function natsOf(env: Env, stack: StackInfo | undefined): NatsUrls | undefined {
  const url = given(env.NATS_URL);
  if (url !== undefined) return { client: url, auditor: url, service: url, admin: url };
  if (stack === undefined) return undefined;
  const { url: client, auditorUrl: auditor, serviceUrl: service, adminUrl: admin = service } = stack.nats;
  return { client, auditor, service, admin };
}

function artifactsOf(env: Env, stack: StackInfo | undefined): ArtifactPlace | undefined {
  const url = given(env.ARTIFACTS_URL);
  if (url !== undefined) {
    const [gatewayUrl, gatewayKeyFile] = [given(env.ARTIFACTS_GATEWAY_URL), given(env.ARTIFACTS_GATEWAY_KEY_FILE)];
    return { url, gatewayUrl, gatewayKeyFile };
  }
  return stack?.artifacts;
}

/**
 * Finds what commands work on: the environment first, else the stack that runs on the home folder. With `NATS_URL`
 * set nothing is taken from that stack: it would be another deployment's.
 */
export function findPlace(terminal: Pick<Terminal, 'env' | 'cwd'>): Place {
  const { env } = terminal;
  const fromEnvironment = given(env.NATS_URL) !== undefined;
  const stack = fromEnvironment ? undefined : runningStack(homeOf(terminal));
  return {
    source: fromEnvironment ? 'environment' : 'stack.json',
    nats: natsOf(env, stack),
    principal: given(env.ISOMORPH_PRINCIPAL),
    principals: stack?.nats.principals,
    databaseUrl: given(env.DATABASE_URL) ?? stack?.postgres.url,
    artifacts: artifactsOf(env, stack),
    secretsUrl: given(env.SECRETS_URL) ?? stack?.secretsUrl,
    kvUrl: given(env.KV_URL) ?? stack?.scratch?.kvUrl,
    queueUrl: given(env.QUEUE_URL) ?? stack?.scratch?.queueUrl,
    adapters: stack?.adapters ?? [],
  };
}

/** The place of a stack that this process runs itself. */
export const placeOfStack = (info: StackInfo): Place => ({
  source: 'stack.json',
  nats: natsOf({}, info),
  principal: undefined,
  principals: info.nats.principals,
  databaseUrl: info.postgres.url,
  artifacts: info.artifacts,
  secretsUrl: info.secretsUrl,
  kvUrl: info.scratch?.kvUrl,
  queueUrl: info.scratch?.queueUrl,
  adapters: info.adapters,
});
