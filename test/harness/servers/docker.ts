/**
 * A container engine: the one that answers on this machine, else a dockerd of the tests' own (Debian's docker.io, as root)
 * with socket, data and state in a temporary folder. It has no bridge and touches no firewall: Isomorph's containers run
 * without a network or in a joined namespace, so nothing of that is needed, and it starts where a kernel has none of it.
 */
import { spawn } from 'node:child_process';
import { access, constants, open, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { delimiter, isAbsolute, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Docker from 'dockerode';
import { adopt, type Child, endPid } from '../../../stack/process.ts';
import { scaledMs } from '../slowness.ts';
import { clearAbandonedFolders, clearEngineFolder, createEngineFolder } from './docker-folder.ts';

const DEFAULT_SOCKET = '/var/run/docker.sock';
const READY_TIMEOUT_MS = scaledMs(60_000);
const STOP_GRACE_MS = scaledMs(20_000);
const ANSWER_TIMEOUT_MS = scaledMs(10_000);
const LOOK_AGAIN_MS = 25;

export interface RunningDocker {
  /** Path of the unix socket of the Engine API. */
  readonly socketPath: string;
  /** The same as a value of `DOCKER_HOST`. */
  readonly dockerHost: string;
  /** Ends an engine of our own, its containers included, and removes its folder; leaves a foreign one alone. */
  stop(): Promise<void>;
}

export interface OwnDocker extends RunningDocker {
  /** SIGKILL to the engine. Containers go on running. */
  crash(): Promise<void>;
  /** Starts it again on what is there, containers that still run included. */
  restart(): Promise<void>;
}

/** Whether an engine answers on the socket. */
function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/_ping', timeout: ANSWER_TIMEOUT_MS }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(false));
    asked.once('close', () => resolve(false));
    asked.end();
  });
}

/** The socket of the machine's engine. One behind TCP cannot bind the tests' folders into containers. */
export async function foreignSocket(): Promise<string | undefined> {
  const host = process.env.DOCKER_HOST;
  const socket = host === undefined || host === '' ? DEFAULT_SOCKET : host.replace(/^unix:\/\//, '');
  return isAbsolute(socket) && (await answers(socket)) ? socket : undefined;
}

/** Where Debian has system programs, for users whose PATH leaves them out. */
const searchPath = (): string => [process.env.PATH, '/usr/sbin', '/usr/bin', '/sbin'].join(delimiter);

export async function findProgram(name: string): Promise<string | undefined> {
  for (const dir of searchPath().split(delimiter).filter(isAbsolute)) {
    const path = join(dir, name);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}

const engineConfig = (dir: string, storageDriver: string | undefined): object => ({
  hosts: [`unix://${dir}/docker.sock`],
  group: `${process.getgid?.() ?? 0}`,
  'data-root': join(dir, 'data'),
  'exec-root': join(dir, 'exec'),
  pidfile: join(dir, 'docker.pid'),
  // Where a containerd of the system runs, dockerd uses that: its own names there keep engines apart.
  'containerd-namespace': `isomorph-${process.pid}`,
  'containerd-plugins-namespace': `isomorph-${process.pid}-plugins`,
  'live-restore': true,
  bridge: 'none',
  iptables: false,
  ip6tables: false,
  'ip-forward': false,
  'ip-masq': false,
  'userland-proxy': false,
  'log-driver': 'json-file',
  'log-opts': { 'max-size': '1m', 'max-file': '2' },
  ...(storageDriver === undefined ? {} : { 'storage-driver': storageDriver }),
});

class Engine implements OwnDocker {
  readonly socketPath: string;
  readonly dockerHost: string;
  readonly #dir: string;
  #daemon: Child | undefined;
  #stopped: Promise<void> | undefined;

  constructor(dir: string) {
    this.#dir = dir;
    this.socketPath = join(dir, 'docker.sock');
    this.dockerHost = `unix://${this.socketPath}`;
  }

  /** @throws Error with the end of what dockerd said */
  async restart(): Promise<void> {
    try {
      await this.#start();
    } catch {
      // dockerd gives its containerd 15 seconds, which a machine with too much to do may need: once more, then it is a fault.
      await this.crash();
      await this.#start();
    }
  }

  async #start(): Promise<void> {
    const log = await open(join(this.#dir, 'log'), 'a');
    try {
      // Should this process be killed, the engine gets SIGTERM from the kernel.
      const command = ['--pdeathsig', 'TERM', 'dockerd', '--config-file', join(this.#dir, 'daemon.json')];
      const env = { ...process.env, PATH: searchPath(), DOCKER_HOST: undefined, LC_ALL: 'C' };
      this.#daemon = await adopt(spawn('setpriv', command, { stdio: ['ignore', log.fd, log.fd], env }));
    } finally {
      await log.close();
    }
    const giveUpAt = Date.now() + READY_TIMEOUT_MS;
    while (!(await answers(this.socketPath))) {
      const ended = this.#daemon.hasEnded();
      if (ended || Date.now() > giveUpAt)
        throw new Error(`dockerd ${ended ? 'ended' : 'hangs'}: ${await this.#said()}`);
      await delay(LOOK_AGAIN_MS);
    }
  }

  async crash(): Promise<void> {
    await this.#daemon?.stop({ graceMs: 0, signal: 'SIGKILL' });
    // Its containerd dies with it. Where nobody collects orphans the next dockerd would take the dead one for a living one.
    const file = join(this.#dir, 'exec/containerd/containerd.pid');
    const pid = Number(await readFile(file, 'utf8').catch(() => ''));
    if (pid > 0) await endPid(pid, { graceMs: 0 });
    await rm(file, { force: true });
  }

  /** A function of its own, as with the other servers: it is handed around. */
  readonly stop = (): Promise<void> => {
    this.#stopped ??= this.#end();
    return this.#stopped;
  };

  async #said(): Promise<string> {
    return (await readFile(join(this.#dir, 'log'), 'utf8').catch(() => '')).trim().slice(-2000);
  }

  async #end(): Promise<void> {
    if (this.#daemon?.hasEnded() === false && (await answers(this.socketPath))) await removeContainers(this.socketPath);
    await this.#daemon?.stop({ graceMs: STOP_GRACE_MS });
    await clearEngineFolder(this.#dir);
  }
}

/** What cannot be removed in good order is ended with the engine's folder. */
async function removeContainers(socketPath: string): Promise<void> {
  const docker = new Docker({ socketPath });
  const containers = await docker.listContainers({ all: true });
  await Promise.allSettled(containers.map(({ Id }) => docker.getContainer(Id).remove({ force: true })));
}

/** dockerd chooses the storage by what the file system allows; `vfs` copies whole layers and works on any. */
const STORAGE_DRIVERS = [undefined, 'vfs'] as const;

/**
 * An engine of our own in a temporary folder, empty. About half a second.
 * @throws Error with what dockerd said when it does not start; ask `available('docker')` first.
 */
export async function startOwnDocker(): Promise<OwnDocker> {
  await clearAbandonedFolders();
  const faults: string[] = [];
  for (const storageDriver of STORAGE_DRIVERS) {
    const dir = await createEngineFolder();
    const engine = new Engine(dir);
    try {
      await writeFile(join(dir, 'daemon.json'), JSON.stringify(engineConfig(dir, storageDriver)));
      await engine.restart();
      return engine;
    } catch (thrown) {
      faults.push(String(thrown));
      await engine.stop();
    }
  }
  throw new Error(faults.join('\n'));
}

/**
 * The machine's engine, else one of our own.
 * @throws as `startOwnDocker`
 */
export async function startDocker(): Promise<RunningDocker> {
  const socketPath = await foreignSocket();
  if (socketPath === undefined) return startOwnDocker();
  return { socketPath, dockerHost: `unix://${socketPath}`, stop: async () => undefined };
}
