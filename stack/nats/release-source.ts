/**
 * nats-server from its official release. The SHA-256 sums are pinned here: those of Linux are also the ones in the project's
 * own container files (nats-io/nats-docker, 2.14.x), all four those of its SHA256SUMS as cashapp/hermit-packages records it.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import type { NatsSource } from './sources.ts';

const run = promisify(execFile);

const VERSION = '2.14.5';

export const RELEASE_SHA256: Readonly<Record<string, string>> = {
  'linux-amd64': '5e3b603d47c447bda1f77f9ac16dbf91c90aac4ff3681f8fbbc7201e4ed99355',
  'linux-arm64': '673a98d3faa79dde3f9ebf16d6dfac36a5f694e7ad2015e4954dd7939c85cd4c',
  'darwin-amd64': 'f95c98d6b6ed2b63c5681b46b092c9585c99767d547cf495730c329234625e96',
  'darwin-arm64': 'ddd907854d9a2de834af133fa396915fe6442fe6d8909ae31390d1ea7a0fea50',
};

export const RELEASES_URL = 'https://github.com/nats-io/nats-server/releases/download';

/** The archives have about 7 MB. */
const LARGEST_ARCHIVE_BYTES = 64 * 1024 * 1024;
const DOWNLOAD_TIMEOUT_MS = 180_000;

/** This machine in the words of the release ("linux-amd64"), whether or not the release has it. */
export const releasePlatform = (platform: string = process.platform, arch: string = process.arch): string =>
  `${platform}-${arch === 'x64' ? 'amd64' : arch}`;

/** The archive that somebody at this machine would download by hand. */
export const releaseArchive = (platform: string): string => `nats-server-v${VERSION}-${platform}.tar.gz`;

async function download(url: string, target: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS) });
  if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}`);
  const hash = createHash('sha256');
  let bytes = 0;
  const measured = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      hash.update(chunk);
      if (bytes > LARGEST_ARCHIVE_BYTES) done(new Error(`${url} is larger than ${LARGEST_ARCHIVE_BYTES} bytes`));
      else done(null, chunk);
    },
  });
  await pipeline(Readable.fromWeb(response.body), measured, createWriteStream(target));
  return hash.digest('hex');
}

/** Options are for tests: another place and sums to download from. */
export function releaseSource({ baseUrl = RELEASES_URL, sha256Of = RELEASE_SHA256 } = {}): NatsSource {
  return {
    name: 'official release',
    obtain: async ({ workDir, onProgress }) => {
      const platform = releasePlatform();
      const expected = sha256Of[platform];
      if (expected === undefined) throw new Error(`no SHA-256 is pinned for ${platform}`);
      const name = releaseArchive(platform);
      const archive = join(workDir, name);
      onProgress(`downloading ${name} from the official release into the cache`);
      const sha256 = await download(`${baseUrl}/v${VERSION}/${name}`, archive).catch((thrown: unknown) => {
        const { message, cause } = thrown instanceof Error ? thrown : new Error(String(thrown));
        throw new Error(cause instanceof Error ? `${message}: ${cause.message}` : message);
      });
      if (sha256 !== expected) throw new Error(`${name} hashes to ${sha256}, pinned is ${expected}`);
      await run('tar', ['-xzf', archive, '-C', workDir]);
      return {
        binary: join(workDir, name.replace(/\.tar\.gz$/, ''), 'nats-server'),
        origin: `official release ${VERSION}`,
      };
    },
  };
}
