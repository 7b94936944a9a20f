/**
 * Whether containers can run on this machine for the tests.
 *
 * Where the kernel itself refuses (no right to mount or to make a cgroup or a namespace), no engine can run: `available`
 * then gives a reason that begins with KERNEL_REFUSES and quotes what dockerd said of the call that failed. Only that is
 * a reason to go without under `npm run test:all`; anything else that goes wrong with an installed engine is a failure.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Docker from 'dockerode';
import type { Available } from './available.ts';
import { findProgram, foreignSocket, startOwnDocker } from './docker.ts';

const run = promisify(execFile);

export const KERNEL_REFUSES = 'the kernel refuses containers';

/** What one hardened container of one static program says, run as Isomorph's containers are. */
async function runProbe(socketPath: string): Promise<string> {
  const docker = new Docker({ socketPath });
  const program = await findProgram('docker-init');
  if (program === undefined) throw new Error('docker-init is not installed');
  const archive = await run('tar', ['-ch', '-C', join(program, '..'), 'docker-init'], {
    encoding: 'buffer',
    maxBuffer: 64 * 1024 * 1024,
  });
  const tag = { repo: 'isomorph-probe', tag: '1' };
  const imported = await docker.importImage(Readable.from([archive.stdout]), tag);
  for await (const _ of imported);
  const container = await docker.createContainer({
    Image: `${tag.repo}:${tag.tag}`,
    Cmd: ['/docker-init', '--version'],
    User: '65532:65532',
    HostConfig: {
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      Memory: 64 * 1024 * 1024,
      PidsLimit: 16,
    },
  });
  await container.start();
  await container.wait();
  return (await container.logs({ stdout: true, stderr: true })).toString();
}

const REFUSALS =
  /operation not permitted|permission denied|function not implemented|read-only file system|no such device|cgroups?:? .*(not|isn't) mounted/i;

/** Why no container runs on an engine of our own; undefined when one does. */
async function whyNoContainer(): Promise<string | undefined> {
  try {
    const engine = await startOwnDocker();
    try {
      const said = await runProbe(engine.socketPath);
      return said.includes('tini') ? undefined : `a container did not say what it should: ${said}`;
    } finally {
      await engine.stop();
    }
  } catch (thrown) {
    const said = String(thrown);
    const line = said.split('\n').find((one) => REFUSALS.test(one));
    return line === undefined ? said : `${KERNEL_REFUSES}: ${line}`;
  }
}

/** Names this boot of the machine: what its kernel once allowed it allows until the next. */
async function proofFile(): Promise<string> {
  const project = fileURLToPath(new URL('../../../', import.meta.url));
  const cache = resolve(process.env.ISOMORPH_CACHE || join(project, '.cache'));
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  return join(cache, 'docker', `works-${boot}`);
}

/** That a container runs is tried once a boot; a failure is tried again each time. */
async function proveContainers(): Promise<string | undefined> {
  const proof = await proofFile();
  if ((await readFile(proof, 'utf8').catch(() => '')) !== '') return undefined;
  const reason = await whyNoContainer();
  if (reason !== undefined) return reason;
  await mkdir(join(proof, '..'), { recursive: true });
  await writeFile(`${proof}.${process.pid}`, 'a container ran\n');
  await rename(`${proof}.${process.pid}`, proof);
  return undefined;
}

/** The socket of the engine that answers, or dockerd when an engine of our own can run containers here. */
export async function findDocker(): Promise<Available> {
  const socket = await foreignSocket();
  if (socket !== undefined) return { ok: true, path: socket };
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    return { ok: false, reason: 'no container engine answers, and only root on Linux may start one' };
  }
  const dockerd = await findProgram('dockerd');
  for (const name of ['dockerd', 'containerd', 'runc', 'docker-init', 'setpriv']) {
    if ((await findProgram(name)) === undefined) {
      return { ok: false, reason: `no container engine answers, and ${name} is not installed` };
    }
  }
  const reason = await proveContainers();
  return reason === undefined ? { ok: true, path: dockerd ?? 'dockerd' } : { ok: false, reason };
}
