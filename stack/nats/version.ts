/** Asking a binary of nats-server for its version. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { formatVersion, isNewEnough, MINIMUM_VERSION, parseVersion } from '../../shared/nats/server-version.ts';

const run = promisify(execFile);

/** A binary answers `--version` at once; one that waits for something is no nats-server. */
const VERSION_TIMEOUT_MS = 10_000;

/** What asking a binary gave: a usable version, or why it cannot be used. */
export type Probe = { readonly ok: true; readonly version: string } | { readonly ok: false; readonly reason: string };

/** Runs `<path> --version` and judges the answer. Never throws. */
export async function probeBinary(path: string): Promise<Probe> {
  let output: string;
  try {
    const { stdout, stderr } = await run(path, ['--version'], { timeout: VERSION_TIMEOUT_MS });
    output = `${stdout}\n${stderr}`;
  } catch (thrown) {
    return { ok: false, reason: `${path} does not run: ${thrown instanceof Error ? thrown.message.trim() : thrown}` };
  }
  const version = parseVersion(output);
  if (version === undefined || !output.includes('nats-server')) {
    return { ok: false, reason: `${path} does not answer --version as nats-server does` };
  }
  const text = formatVersion(version);
  if (!isNewEnough(version)) {
    return { ok: false, reason: `${path} is ${text}, older than ${formatVersion(MINIMUM_VERSION)}` };
  }
  return { ok: true, version: text };
}
