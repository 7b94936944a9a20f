import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Identity } from './worker-wire.ts';

export interface ServeOptions {
  /** `nats://user:password@host:port`, or a connection of the package `@nats-io/transport-node`, which stays open then. */
  readonly nats: string | NatsConnection;
  /** Functions at once, 1 to 9999. Default 1. */
  readonly slots?: number;
  /** As receipts and operators read it: `[A-Za-z0-9_-]`, at most 64. Default `worker`. */
  readonly name?: string;
  /** Version of what is served, as semantic versions are written. Default `0.0.0`. */
  readonly version?: string;
  /** `sha256:…` or `blake3:…` of the code. Default: SHA-256 of the program's first file, which is all of a bundle. */
  readonly digest?: string;
}

/** What a worker says of itself, as dispatchers take it: of another it would get no work and hear no reason. */
export interface Serving {
  readonly refs: readonly string[];
  readonly namespaces: readonly string[];
  readonly slots: number;
  readonly identity: Identity;
}

const REF = /^([a-z0-9][a-z0-9-]{0,31})\/[a-z0-9][a-z0-9-]{0,31}@[1-9][0-9]{0,3}$/;
const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const VERSION = /^[A-Za-z0-9.+-]{1,64}$/;
const DIGEST = /^(sha256|blake3):[0-9a-f]{64}$/;
const MOST_SLOTS = 9_999;
/** With the rest of an announcement at most 64 KiB. */
const MOST_REFS_CHARACTERS = 60_000;

function expect(isSo: boolean, what: string, expected: string): void {
  if (!isSo) throw new TypeError(`${what}: expected ${expected}`);
}

function digestOfProgram(): string {
  const [, file = ''] = process.argv;
  const code = file === '' ? '' : readFileSync(file);
  return `sha256:${createHash('sha256').update(code).digest('hex')}`;
}

function namespacesOf(refs: readonly string[]): readonly string[] {
  expect(refs.length > 0, 'no processors', 'at least one, as ns/name@1');
  const characters = refs.join(',').length;
  expect(
    characters <= MOST_REFS_CHARACTERS,
    'too many processors',
    `names of ${MOST_REFS_CHARACTERS} characters in all`,
  );
  const namespaces = refs.map((ref) => {
    const [, namespace = ''] = REF.exec(ref) ?? [];
    expect(namespace !== '', `processor ${JSON.stringify(ref)}`, 'ns/name@1');
    return namespace;
  });
  return [...new Set(namespaces)];
}

/** @throws TypeError with the option and what was expected */
export function servingOf(refs: readonly string[], options: ServeOptions): Serving {
  const { name = 'worker', version = '0.0.0', digest = digestOfProgram(), slots = 1 } = options;
  const namespaces = namespacesOf(refs);
  expect(NAME.test(name), `name ${JSON.stringify(name)}`, '1 to 64 of A-Z a-z 0-9 _ -');
  expect(VERSION.test(version), `version ${JSON.stringify(version)}`, '1 to 64 of A-Z a-z 0-9 . + -');
  expect(DIGEST.test(digest), `digest ${JSON.stringify(digest)}`, 'sha256: or blake3: and 64 hex digits');
  expect(Number.isInteger(slots) && slots >= 1 && slots <= MOST_SLOTS, `slots ${slots}`, `1 to ${MOST_SLOTS}`);
  return { refs, namespaces, slots, identity: { name, version, digest, scrubs: true } };
}
