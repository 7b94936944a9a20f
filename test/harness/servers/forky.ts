/** Ceph 20 and moto, which the machine's Debian has not: about 170 MB to fetch, 650 MB on the disk. */
import { type DebianFolder, ensureFolder, rootOf, whyMissing } from './debian-folder.ts';

const FOLDER: DebianFolder = {
  name: 'ceph',
  packages: ['radosgw', 'ceph-mon', 'ceph-osd', 'python3-moto', 'python3-flask-cors', 'python3-yaml'],
  program: 'usr/bin/radosgw',
};

/** Where the folder is, once made. */
export const forkyRoot = (): string => rootOf(FOLDER);

/** Why a program of the folder cannot be used here; undefined when it can. */
export const whyNoForky = (program: string): Promise<string | undefined> => whyMissing(FOLDER, program);

/** @throws as `ensureFolder` */
export const ensureForky = (): Promise<void> => ensureFolder(FOLDER);

/** Runs in a mount namespace of its own, so that nothing is mounted for anybody else and nothing stays mounted. */
const ENTER = [
  'mount --rbind /dev "$1/dev"',
  'mount -t proc proc "$1/proc"',
  'mount --bind "$2" "$1/state"',
  // No locale is installed in the folder, and programs that are told another than C refuse to start.
  'export LC_ALL=C',
  'root=$1; shift 2; exec chroot "$root" "$@"',
].join(' && ');

/**
 * The command that runs a program of the folder with `stateDir` as its `/state`.
 * @returns program and arguments for `spawn`; the process that it starts becomes the program itself
 */
export const inForky = (stateDir: string, command: readonly string[]): readonly [string, readonly string[]] => [
  'unshare',
  ['--mount', '--propagation', 'private', '/bin/sh', '-c', ENTER, 'enter', forkyRoot(), stateDir, ...command],
];
