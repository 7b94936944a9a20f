/** Installs what the tests need, on machines where they may: Debian or Ubuntu, as root (`npm run test:all`). */
import { execFile } from 'node:child_process';
import { access, chmod, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { available, forgetWhatWasFound, isInForky, type ProgramName, type ServerName } from './detect.ts';
import { KERNEL_REFUSES } from './docker-proof.ts';
import { ensureForky } from './forky.ts';

const run = promisify(execFile);

const PACKAGES: Readonly<Record<ProgramName | 'docker', string>> = {
  'redis-server': 'redis-server',
  postgres: 'postgresql',
  b3sum: 'b3sum',
  jq: 'jq',
  chromium: 'chromium',
  docker: 'docker.io',
};

const APT_TIMEOUT_MS = 600_000;
const POLICY = '/usr/sbin/policy-rc.d';

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** While packages are installed no system service is started: Debian's own switch for that, put back afterwards. */
async function withoutServiceStarts(install: () => Promise<void>): Promise<void> {
  if (await exists(POLICY)) {
    // Somebody else's policy stays; most container images bring one that says no.
    await install();
    return;
  }
  await writeFile(POLICY, '#!/bin/sh\nexit 101\n', { flag: 'wx' });
  try {
    await chmod(POLICY, 0o755);
    await install();
  } finally {
    await rm(POLICY, { force: true });
  }
}

async function apt(...args: string[]): Promise<void> {
  try {
    await run('apt-get', ['-o', 'DPkg::Lock::Timeout=300', '-qq', ...args], {
      timeout: APT_TIMEOUT_MS,
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    });
  } catch (thrown) {
    const said =
      thrown instanceof Error && 'stderr' in thrown ? String(thrown.stderr).trim().slice(-500) : String(thrown);
    throw new Error(`apt-get ${args.join(' ')} failed: ${said}`, { cause: thrown });
  }
}

let updated: Promise<void> | undefined;

/**
 * Installs Debian packages, the package lists being refreshed once a process.
 * @throws Error when this is no Debian, not root, or apt fails.
 */
export async function ensureDebianPackages(packages: readonly string[]): Promise<void> {
  if (packages.length === 0) return;
  const wanted = packages.join(' ');
  if (!(await exists('/usr/bin/apt-get'))) throw new Error(`this is no Debian or Ubuntu: install ${wanted} yourself`);
  if (process.getuid?.() !== 0) throw new Error(`only root may install: apt-get install ${wanted}`);
  updated ??= apt('update');
  await updated;
  await withoutServiceStarts(() => apt('install', '-y', '--no-install-recommends', ...packages));
}

/**
 * Makes these available, installing what is missing.
 * @throws Error naming what is still missing and why, but for a container engine that the kernel refuses to run.
 */
export async function provision(names: readonly ServerName[]): Promise<void> {
  const missing: ServerName[] = [];
  for (const name of names) if (!(await available(name)).ok) missing.push(name);
  await ensureDebianPackages(missing.flatMap((name) => (isInForky(name) ? [] : PACKAGES[name])));
  if (missing.some(isInForky)) await ensureForky();
  forgetWhatWasFound();
  for (const name of missing) {
    const now = await available(name);
    if (now.ok) continue;
    const fault = `${name} was installed, but ${now.reason}`;
    // Nothing that could be installed helps then: the suites that need containers say so themselves.
    if (!now.reason.startsWith(KERNEL_REFUSES)) throw new Error(fault);
    process.stdout.write(`${fault}\n`);
  }
}
