import { access, readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { copyLibraries } from './libraries.ts';
import type { Stage } from './stage.ts';

/** The first layers of the images: what a program of Node or Python needs of a system, taken from this machine. */

const CERTIFICATES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem'];

/** `nonroot` is who the images run as; the others are the names that programs look for. */
const PASSWD = [
  'root:x:0:0:root:/root:/sbin/nologin',
  'nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin',
  'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin',
];
const GROUP = ['root:x:0:', 'nogroup:x:65534:', 'nonroot:x:65532:'];

const lines = (content: readonly string[]): string => content.map((line) => `${line}\n`).join('');

async function firstOf(files: readonly string[]): Promise<string | undefined> {
  for (const file of files) {
    const found = await access(file).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  return undefined;
}

/** Folders, users, names and certificates: no shell, no package manager. */
async function stageSystem(stage: Stage): Promise<void> {
  for (const folder of ['bin', 'lib', 'lib64', 'sbin']) {
    await stage.folder(`/usr/${folder}`);
    await stage.link(`/${folder}`, `usr/${folder}`);
  }
  for (const folder of ['/app', '/dev', '/home/nonroot', '/proc', '/sys', '/usr/local/bin']) await stage.folder(folder);
  await stage.folder('/root', 0o700);
  for (const folder of ['/tmp', '/var/tmp']) await stage.folder(folder, 0o1777);
  await stage.text('/etc/passwd', lines(PASSWD));
  await stage.text('/etc/group', lines(GROUP));
  await stage.text('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n');
  const certificates = await firstOf(CERTIFICATES);
  if (certificates !== undefined) await stage.copy(certificates, '/etc/ssl/certs/ca-certificates.crt');
}

/**
 * The Node that runs this, in `/usr/local/bin` as in the public images.
 * @returns the libraries that are in the base
 */
export async function stageNodeBase(stage: Stage): Promise<string[]> {
  await stageSystem(stage);
  await stage.copy(process.execPath, '/usr/local/bin/node');
  return copyLibraries(stage, [process.execPath]);
}

/** Of a standard library: what is for its own tests, for windows on a screen, or for installing. */
const NOT_STAGED =
  /^(__pycache__|test|tests|idlelib|turtledemo|tkinter|ensurepip|lib2to3|dist-packages|site-packages|config-.*)$/;

async function stageTree(stage: Stage, from: string, to: string): Promise<string[]> {
  const natives: string[] = [];
  for (const entry of (await readdir(from, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (NOT_STAGED.test(entry.name)) continue;
    if (entry.isDirectory()) {
      natives.push(...(await stageTree(stage, source, target)));
      continue;
    }
    // A link may lead to what this system keeps elsewhere, or nowhere.
    if ((await firstOf([source])) === undefined) continue;
    await stage.copy(source, target);
    if (entry.name.endsWith('.so')) natives.push(source);
  }
  return natives;
}

/** The system's Python, where Debian and Fedora have it; one of a user's version manager may lie anywhere. */
const PYTHON = '/usr/bin/python3';

/** Why there can be no Python base here; undefined when there can. */
export async function whyNoPython(): Promise<string | undefined> {
  return (await firstOf([PYTHON])) === undefined ? `there is no ${PYTHON} on this machine` : undefined;
}

/**
 * @returns the libraries that are in the base
 * @throws ERR_CONFIG when `whyNoPython` has a reason
 */
export async function stagePythonBase(stage: Stage): Promise<string[]> {
  const reason = await whyNoPython();
  if (reason !== undefined) throw new IsomorphError('ERR_CONFIG', reason);
  await stageSystem(stage);
  const program = await realpath(PYTHON);
  const version = path.basename(program);
  await stage.copy(program, `/usr/bin/${version}`);
  await stage.link('/usr/bin/python3', version);
  const natives = await stageTree(stage, `/usr/lib/${version}`, `/usr/lib/${version}`);
  return copyLibraries(stage, [program, ...natives]);
}
