/** The peers, installed when they are first measured: bench/peers is a package of its own. */
import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Load, Loaded } from '../peers/loop.mjs';
import type { Contender } from './contender.ts';

const PEERS = fileURLToPath(new URL('../peers/', import.meta.url));
const INSTALLED = path.join(PEERS, 'node_modules', '.installed');

type Word = { readonly ready: true } | { readonly loaded: Loaded } | { readonly fault: string };

/** As the lock says; nothing is done when it was so installed before. */
export async function installPeers(): Promise<void> {
  const lock = await readFile(path.join(PEERS, 'package-lock.json'), 'utf8');
  if ((await readFile(INSTALLED, 'utf8').catch(() => undefined)) === lock) return;
  process.stderr.write('installing DBOS and Restate into bench/peers (about 240 MB)\n');
  await promisify(execFile)('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: PEERS });
  await writeFile(INSTALLED, lock);
}

async function word(child: ChildProcess): Promise<Word> {
  const waiting = new AbortController();
  const { signal } = waiting;
  const gone = once(child, 'exit', { signal }).then(() => Promise.reject(new Error('a peer ended before it answered')));
  const answers = Promise.race([once(child, 'message', { signal }), gone]);
  const [said] = (await answers.finally(() => waiting.abort())) as [Word];
  if ('fault' in said) throw new Error(`a peer failed: ${said.fault}`);
  return said;
}

interface PeerOptions {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  /** Names a part of its CPU by the command of a child, or by the process itself. */
  cpu(all: Parameters<Contender['cpu']>[0], pid: number): Readonly<Record<string, number>>;
}

async function startPeer({ name, env, cpu }: PeerOptions): Promise<Contender> {
  const child = fork(path.join(PEERS, `${name}.mjs`), { env: { ...process.env, ...env }, execArgv: [] });
  await word(child);
  return {
    name,
    async load(load: Load) {
      const answer = word(child);
      child.send(load);
      const said = await answer;
      if (!('loaded' in said)) throw new Error(`${name} answered something else`);
      return said.loaded;
    },
    cpu: (all) => cpu(all, child.pid ?? 0),
    async stop() {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

/** DBOS, with a database of its own on a server whose process is `postgres`. */
export const startDbos = (databaseUrl: string, postgres: number): Promise<Contender> =>
  startPeer({
    name: 'dbos',
    env: { DATABASE_URL: databaseUrl },
    cpu: (all, pid) => ({ application: all.ownMs(pid), postgres: all.treeMs(postgres) }),
  });

/** Restate, its server with its data in a folder. */
export function startRestate(data: string): Promise<Contender> {
  const find = createRequire(path.join(PEERS, 'package.json'));
  const server = find.resolve(`@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`);
  return startPeer({
    name: 'restate',
    env: { RESTATE_DATA: data, RESTATE_SERVER: server },
    cpu: (all, pid) => ({ application: all.ownMs(pid), server: all.treeMs(pid) - all.ownMs(pid) }),
  });
}
