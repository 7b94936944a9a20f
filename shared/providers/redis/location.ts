/** Reads the URL of a Redis: `redis[s]://[user:password@]host[,host…][:port][/db]?cluster=true&node=host:port&prefix=…&ca=…`. Pure. */
import { IsomorphError } from '../../errors/isomorph-error.ts';

export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

export interface RedisLocation {
  /** The first is the server; a cluster tells of all its nodes when any of these answers. */
  readonly nodes: readonly [RedisNode, ...RedisNode[]];
  readonly isCluster: boolean;
  readonly isTls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number;
  /** Before every key, so that several installations can share a server. */
  readonly prefix: string;
  /** A file of certificates (PEM) to trust instead of the well-known ones. */
  readonly caFile: string | undefined;
}

const PARAMETERS = ['cluster', 'node', 'prefix', 'ca'];
const DEFAULT_PORT = 6379;
const HOST = /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$/;
/** Without braces, which would move the hash tag, and without what a SCAN pattern gives a meaning. */
const PREFIX = /^[A-Za-z0-9_.:-]{1,40}$/;

/** Never repeats the URL: it may carry a password. */
function refuse(what: string, expected: string): never {
  throw new IsomorphError('ERR_CONFIG', `the redis URL ${what}`, { expected });
}

function nodeOf(text: string, defaultPort: number): RedisNode {
  const [, host = '', port] = /^(.*?)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const number = port === undefined ? defaultPort : Number(port);
  if (!HOST.test(host) || number < 1 || number > 65_535) refuse('names no usable host', 'redis://host:6379');
  return { host: host.replace(/^\[|\]$/g, ''), port: number };
}

function nodesOf(url: URL): RedisLocation['nodes'] {
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port);
  const [first = '', ...others] = decodeURIComponent(url.hostname).split(',');
  const named = url.searchParams.getAll('node').map((node) => nodeOf(node, port));
  return [nodeOf(first, port), ...others.map((host) => nodeOf(host, port)), ...named];
}

function dbOf(url: URL, isCluster: boolean): number {
  const text = url.pathname.replace(/^\//, '');
  if (text !== '' && !/^\d{1,5}$/.test(text)) refuse('names no database', 'a number after the host, as in /0');
  if (isCluster && Number(text) !== 0) refuse('names a database of a cluster', 'none: a cluster has only 0');
  return Number(text);
}

function credential(text: string): string | undefined {
  return text === '' ? undefined : decodeURIComponent(text);
}

/** @throws IsomorphError ERR_CONFIG */
export function parseRedisUrl(url: URL): RedisLocation {
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.includes(name)) refuse('has a parameter that is not known', PARAMETERS.join(', '));
  }
  const cluster = url.searchParams.get('cluster') ?? 'false';
  if (cluster !== 'true' && cluster !== 'false') refuse('has no usable cluster=', 'true or false');
  const isCluster = cluster === 'true';
  const nodes = nodesOf(url);
  if (nodes.length > 1 && !isCluster) refuse('names several hosts', 'cluster=true beside them');
  const prefix = url.searchParams.get('prefix') ?? 'isomorph';
  if (!PREFIX.test(prefix)) refuse('has no usable prefix', 'up to 40 letters, digits, _ . : and -');
  return {
    ...{ nodes, isCluster, prefix },
    isTls: url.protocol === 'rediss:',
    username: credential(url.username),
    password: credential(url.password),
    db: dbOf(url, isCluster),
    caFile: url.searchParams.get('ca') ?? undefined,
  };
}
