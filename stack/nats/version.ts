/** Versions of nats-server, and asking a binary for its own. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** 2.12 brought atomic batches and message counters beside what the ledger needs of 2.11 (compare-and-set by subject). */
export const MINIMUM_VERSION: Version = { major: 2, minor: 12, patch: 0 };

/** A binary answers `--version` at once; one that waits for something is no nats-server. */
const VERSION_TIMEOUT_MS = 10_000;

/**
 * The version in the text that `nats-server --version` prints ("nats-server: v2.15.1"), or in a Debian version ("2.15.1-1").
 * @returns undefined when the text names none. A pre-release counts as its release.
 */
export function parseVersion(text: string): Version | undefined {
  const [, major, minor, patch] = /(?:^|[\s:v])(\d+)\.(\d+)\.(\d+)/.exec(text) ?? [];
  if (major === undefined || minor === undefined || patch === undefined) return undefined;
  return { major: Number(major), minor: Number(minor), patch: Number(patch) };
}

export const formatVersion = ({ major, minor, patch }: Version): string => `${major}.${minor}.${patch}`;

/** Negative when `a` is older than `b`, 0 when they are the same. */
export const compareVersions = (a: Version, b: Version): number =>
  a.major - b.major || a.minor - b.minor || a.patch - b.patch;

/** Whether Isomorph can run on this version. */
export const isNewEnough = (version: Version): boolean => compareVersions(version, MINIMUM_VERSION) >= 0;

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
