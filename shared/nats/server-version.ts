/** Versions of nats-server, and which of them Isomorph runs on. */
import { IsomorphError } from '../errors/isomorph-error.ts';

export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** 2.12 brought what we use; its patches before this one have published holes (CVE-2026-33216, CVE-2026-33249 and others). */
export const MINIMUM_VERSION: Version = { major: 2, minor: 12, patch: 6 };

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

/** @throws ERR_CONFIG for a server that is older, or names no version */
export function requireNewEnough(text: string | undefined): void {
  const version = parseVersion(text ?? '');
  if (version !== undefined && isNewEnough(version)) return;
  const minimum = formatVersion(MINIMUM_VERSION);
  throw new IsomorphError('ERR_CONFIG', `nats-server ${text ?? 'of no version'} has published holes`, {
    pointer: 'NATS_URL',
    expected: `nats-server >= ${minimum}`,
  });
}
