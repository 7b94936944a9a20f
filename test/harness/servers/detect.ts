/** Which servers and tools the tests can use on this machine. */
import { execFile } from 'node:child_process';
import { access, constants, readdir } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import type { Available } from './available.ts';
import { findDocker } from './docker-proof.ts';
import { forkyRoot, whyNoForky } from './forky.ts';

const run = promisify(execFile);

/** Programs of the machine itself. */
export const PROGRAM_NAMES = ['redis-server', 'postgres', 'b3sum', 'jq', 'chromium'] as const;
export type ProgramName = (typeof PROGRAM_NAMES)[number];

export const SERVER_NAMES = [...PROGRAM_NAMES, 'ceph', 'moto', 'docker'] as const;
export type ServerName = (typeof SERVER_NAMES)[number];

/** What the real one answers to `--version`: a name on PATH alone proves nothing. */
const ANSWERS: Readonly<Record<ProgramName, RegExp>> = {
  'redis-server': /^(Redis|Valkey) server v=\d/,
  postgres: /^postgres \(PostgreSQL\) \d/,
  b3sum: /^b3sum \d/,
  jq: /^jq-?\s?\d/,
  chromium: /^Chromium \d/,
};

/** Servers in a folder of their own (forky.ts), and the last of the programs that each needs. */
const IN_FORKY = { ceph: 'usr/bin/radosgw', moto: 'usr/bin/moto_server' } as const;

export const isInForky = (name: ServerName): name is keyof typeof IN_FORKY => Object.hasOwn(IN_FORKY, name);

const DEBIAN_POSTGRES = '/usr/lib/postgresql';

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

/** Debian keeps the programs of each major version aside from PATH; the newest comes first. */
async function debianPostgresDirs(): Promise<string[]> {
  const versions = await readdir(DEBIAN_POSTGRES).catch(() => []);
  return versions
    .filter((version) => /^\d+$/.test(version))
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(DEBIAN_POSTGRES, version, 'bin'));
}

/**
 * Where the program is, or why it cannot be used. It counts only when it runs and answers as the real one does; a Postgres
 * also needs the `initdb` of its own folder, so that both are of one version.
 */
export async function findServer(name: ServerName): Promise<Available> {
  if (name === 'docker') return findDocker();
  if (isInForky(name)) {
    const reason = await whyNoForky(IN_FORKY[name]);
    return reason === undefined ? { ok: true, path: join(forkyRoot(), IN_FORKY[name]) } : { ok: false, reason };
  }
  const onPath = (process.env.PATH ?? '').split(delimiter).filter(isAbsolute);
  const dirs = name === 'postgres' ? [...(await debianPostgresDirs()), ...onPath] : onPath;
  const refused: string[] = [];
  for (const dir of dirs) {
    const path = join(dir, name);
    if (!(await isExecutable(path))) continue;
    if (name === 'postgres' && !(await isExecutable(join(dir, 'initdb'))))
      refused.push(`${path} has no initdb beside it`);
    else if (await answersAsReal(path, ANSWERS[name])) return { ok: true, path };
    else refused.push(`${path} does not answer --version as ${name} does`);
  }
  return { ok: false, reason: refused[0] ?? `${name} is not installed` };
}

const answersAsReal = (path: string, answer: RegExp): Promise<boolean> =>
  run(path, ['--version'], { timeout: 10_000 }).then(
    ({ stdout }) => answer.test(stdout),
    () => false,
  );

const found = new Map<ServerName, Promise<Available>>();

/** As `findServer`, looked up once a process. */
export function available(name: ServerName): Promise<Available> {
  const known = found.get(name) ?? findServer(name);
  found.set(name, known);
  return known;
}

/** After an installation what was missing may be there. */
export const forgetWhatWasFound = (): void => found.clear();
