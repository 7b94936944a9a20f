import type Docker from 'dockerode';

export interface Ended {
  readonly exitCode: number;
  readonly output: string;
}

/** Runs one container as hardened as those of processors are, and removes it. */
export async function runContainer(docker: Docker, options: Docker.ContainerCreateOptions, input = ''): Promise<Ended> {
  const container = await docker.createContainer({
    ...options,
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    HostConfig: { NetworkMode: 'none', ReadonlyRootfs: true, CapDrop: ['ALL'], PidsLimit: 64, Init: true },
  });
  try {
    const stdin = await container.attach({ stream: true, stdin: true, hijack: true });
    stdin.resume();
    // A program that ended without reading its input is no fault of the test.
    stdin.on('error', () => undefined);
    await container.start();
    stdin.end(input);
    const { StatusCode } = (await container.wait()) as { StatusCode: number };
    const logs = await container.logs({ stdout: true, stderr: true });
    return { exitCode: StatusCode, output: unframed(logs) };
  } finally {
    await container.remove({ force: true });
  }
}

/** The engine frames output without a terminal: a kind, three zeros and a length before each piece. */
function unframed(framed: Buffer): string {
  const pieces: Buffer[] = [];
  for (let at = 0; at + 8 <= framed.length; ) {
    const end = at + 8 + framed.readUInt32BE(at + 4);
    pieces.push(framed.subarray(at + 8, end));
    at = end;
  }
  return Buffer.concat(pieces).toString('utf8');
}
