import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type Docker from 'dockerode';
import { within } from '../../async/within.ts';
import { IsomorphError } from '../../errors/isomorph-error.ts';

/** The first socket that is there: Docker's, those of the user, Podman's. */
function usualSocket(): string | undefined {
  const runtimeDir = process.env.XDG_RUNTIME_DIR ?? `/run/user/${process.getuid?.() ?? 0}`;
  const candidates = [
    '/var/run/docker.sock',
    path.join(os.homedir(), '.docker/run/docker.sock'),
    path.join(runtimeDir, 'docker.sock'),
    '/run/podman/podman.sock',
    path.join(runtimeDir, 'podman/podman.sock'),
  ];
  return candidates.find((candidate) => existsSync(candidate)) ?? candidates[0];
}

/**
 * The client of a container engine; whether one answers there is not asked.
 * @param dockerHost `unix://…`, or what `DOCKER_HOST` itself says; undefined or empty is the engine at a usual socket
 * @throws ERR_CONFIG when it is malformed
 */
export async function engineClient(dockerHost: string | undefined): Promise<Docker> {
  const { default: Client } = await import('dockerode');
  const named = /^unix:\/\/(.+)$/.exec(dockerHost ?? '')?.[1];
  const socketPath = dockerHost === undefined || dockerHost === '' ? usualSocket() : named;
  try {
    // The client reads any other form of DOCKER_HOST, with its certificates, from the environment itself.
    return socketPath === undefined ? new Client() : new Client({ socketPath });
  } catch (error) {
    const expected = 'unix:///path or tcp://host';
    throw new IsomorphError('ERR_CONFIG', 'DOCKER_HOST is not usable', { expected }, error);
  }
}

const ANSWER_MS = 10_000;

/**
 * The client of a container engine that answers.
 * @param dockerHost as above
 * @throws ERR_CONFIG when it is malformed, ERR_UNAVAILABLE when none answers
 */
export async function answeringEngine(dockerHost: string | undefined): Promise<Docker> {
  const docker = await engineClient(dockerHost);
  try {
    // The client has no time limit of its own.
    await within(ANSWER_MS, docker.ping(), () => {
      throw new Error(`no answer within ${ANSWER_MS} ms`);
    });
    return docker;
  } catch (error) {
    const where = dockerHost === undefined || dockerHost === '' ? 'at its usual socket' : `at ${dockerHost}`;
    throw new IsomorphError('ERR_UNAVAILABLE', `no container engine answers ${where}`, {}, error);
  }
}
