/** Ceph with its S3 gateway on loopback: one monitor, one store, one gateway; checks signatures and conditions. */
import { execFile, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { adopt, type Child, freeLoopbackPort } from '../../../stack/process.ts';
import { scaledMs } from '../slowness.ts';
import { available } from './detect.ts';
import { inForky } from './forky.ts';
import type { RunningServer } from './running.ts';

const run = promisify(execFile);

const READY_TIMEOUT_MS = scaledMs(60_000);
const COMMAND_TIMEOUT_MS = scaledMs(30_000);
const LOOK_AGAIN_MS = 50;
const SAID_MAX = 4000;
const CONFIG = ['-c', '/state/ceph.conf'];

export interface CephOptions {
  /** Where the bytes are: in memory (default, fast), or on the disk, so that they outlive a restart. */
  readonly objects?: 'memory' | 'disk';
}

export interface RunningCeph extends RunningServer {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Kills all of it at once and starts it again on what is on the disk. About 10 s; only with `objects: 'disk'`. */
  crashAndRestart(): Promise<void>;
}

const OBJECTS = {
  memory: [' osd objectstore = memstore', ' memstore device bytes = 6442450944'],
  disk: [' osd objectstore = bluestore', ' bluestore block size = 4294967296'],
} as const;

const configText = (monPort: number, port: number, objects: keyof typeof OBJECTS): string =>
  [
    '[global]',
    ` fsid = ${randomUUID()}`,
    ` mon host = v2:127.0.0.1:${monPort}`,
    ' public addr = 127.0.0.1',
    ' cluster addr = 127.0.0.1',
    ' auth cluster required = none',
    ' auth service required = none',
    ' auth client required = none',
    ' osd pool default size = 1',
    ' osd pool default min size = 1',
    ' osd pool default pg num = 1',
    ' osd pool default pg autoscale mode = off',
    ' osd crush chooseleaf type = 0',
    ' mon allow pool size one = true',
    // Each of the ten changes of the start would otherwise wait a second for company.
    ' paxos propose interval = 0.01',
    ' paxos min wait = 0.01',
    // The disk of a test machine may be nearly full.
    ' mon data avail crit = 1',
    ...OBJECTS[objects],
    ' run dir = /state/run',
    ' crash dir = /state/crash',
    ' log to file = false',
    ' log to stderr = true',
    '[mon.a]',
    ' mon data = /state/mon',
    '[osd.0]',
    ' osd data = /state/osd',
    '[client.rgw.x]',
    ' rgw data = /state/rgw',
    // Without tcp_nodelay every small answer waits 40 ms.
    ` rgw frontends = beast endpoint=127.0.0.1:${port} tcp_nodelay=1`,
    // With no authentication the gateway would otherwise ask for encryption that nobody set up.
    ' ms mon client mode = crc',
    // What is removed would otherwise stay for two hours.
    ' rgw gc obj min wait = 1',
    ' rgw gc processor period = 2',
    ' debug rgw = 0',
    '',
  ].join('\n');

class Ceph {
  readonly #dir: string;
  readonly #faults: string[] = [];
  #children: Child[] = [];

  constructor(dir: string) {
    this.#dir = dir;
  }

  async command(...command: string[]): Promise<void> {
    const [program, args] = inForky(this.#dir, command);
    await run(program, [...args], { timeout: COMMAND_TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 });
  }

  async daemon(...command: string[]): Promise<Child> {
    const [program, args] = inForky(this.#dir, command);
    const spawned = spawn(program, [...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    // A daemon that dies says why, then dumps its memory: the beginning is what counts.
    let said = '';
    for (const stream of [spawned.stdout, spawned.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        if (said.length < SAID_MAX) said += chunk.toString();
      });
    }
    const child = await adopt(spawned, () => this.#faults.push(`${command[0]} ended: ${said.slice(0, SAID_MAX)}`));
    this.#children.push(child);
    return child;
  }

  /** @throws Error when a daemon ended or the time is over */
  async until(what: string, ready: () => Promise<boolean>): Promise<void> {
    const giveUpAt = Date.now() + READY_TIMEOUT_MS;
    while (!(await ready())) {
      if (this.#faults.length > 0) throw new Error(this.#faults.join('\n'));
      if (Date.now() > giveUpAt) throw new Error(`ceph: ${what} took longer than ${READY_TIMEOUT_MS} ms`);
      await delay(LOOK_AGAIN_MS);
    }
  }

  /** SIGKILL: the gateway ignores SIGTERM for seconds, and nothing of a test is worth a graceful end. */
  async kill(): Promise<void> {
    const ended = this.#children.map((child) => child.stop({ graceMs: 0, signal: 'SIGKILL' }));
    this.#children = [];
    await Promise.all(ended);
  }
}

const answers = (url: string) => (): Promise<boolean> =>
  fetch(url).then(
    async (answer) => {
      await answer.arrayBuffer();
      return answer.ok;
    },
    () => false,
  );

async function startDaemons(ceph: Ceph, url: string, beforeGateway: () => Promise<void>): Promise<Child> {
  await ceph.daemon('ceph-mon', ...CONFIG, '-i', 'a', '-f');
  await beforeGateway();
  await ceph.daemon('ceph-osd', ...CONFIG, '-i', '0', '-f');
  const gateway = await ceph.daemon('radosgw', ...CONFIG, '-n', 'client.rgw.x', '-f');
  await ceph.until('the start', answers(url));
  return gateway;
}

/**
 * A Ceph of its own in a temporary folder, with one user and no bucket. About 2 s (7 s on the disk) and 300 MB of memory.
 * @throws Error when it is not there; ask `available('ceph')` first.
 */
export async function startCeph({ objects = 'memory' }: CephOptions = {}): Promise<RunningCeph> {
  const found = await available('ceph');
  if (!found.ok) throw new Error(found.reason);
  const dir = await mkdtemp(join(tmpdir(), 'isomorph-ceph-'));
  const ceph = new Ceph(dir);
  const stop = async (): Promise<void> => {
    await ceph.kill();
    await rm(dir, { recursive: true, force: true });
  };
  const accessKeyId = randomBytes(9).toString('hex');
  const secretAccessKey = randomBytes(18).toString('hex');
  try {
    const [monPort, port] = [await freeLoopbackPort(), await freeLoopbackPort()];
    const url = `http://127.0.0.1:${port}`;
    for (const folder of ['mon', 'osd', 'rgw', 'run', 'crash']) await mkdir(join(dir, folder));
    await writeFile(join(dir, 'ceph.conf'), configText(monPort, port, objects));
    const osd = randomUUID();
    await ceph.command('monmaptool', '--create', '--addv', 'a', `[v2:127.0.0.1:${monPort}]`, '/state/monmap');
    await ceph.command('ceph-mon', ...CONFIG, '-i', 'a', '--mkfs', '--monmap', '/state/monmap');
    const gateway = await startDaemons(ceph, url, async () => {
      await ceph.command('ceph', ...CONFIG, 'osd', 'new', osd);
      await ceph.command('ceph-osd', ...CONFIG, '-i', '0', '--mkfs', '--osd-uuid', osd);
    });
    const keys = [`--access-key=${accessKeyId}`, `--secret-key=${secretAccessKey}`];
    const user = ['--uid=isomorph', '--display-name=isomorph', ...keys];
    await ceph.command('radosgw-admin', ...CONFIG, '-n', 'client.rgw.x', 'user', 'create', ...user);
    const crashAndRestart = async (): Promise<void> => {
      if (objects === 'memory') throw new Error("nothing would be left: start it with objects: 'disk'");
      await ceph.kill();
      await startDaemons(ceph, url, async () => undefined);
    };
    return { url, port, pid: gateway.pid, accessKeyId, secretAccessKey, stop, crashAndRestart };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}
