/** Debian's nodejs 24, unpacked beside the system, with the shell and the programs that fast suites start: about 180 MB. */
import { type DebianFolder, ensureFolder, rootOf } from './debian-folder.ts';

const FOLDER: DebianFolder = {
  name: 'node24',
  packages: ['nodejs', 'dash', 'coreutils', 'findutils', 'grep', 'sed', 'mawk', 'mount', 'jq', 'b3sum'],
  program: 'usr/bin/node',
};

/** @throws as `ensureFolder` */
export const ensureNode24 = (): Promise<void> => ensureFolder(FOLDER);

/**
 * Its libraries, the C library included, are newer than the machine's: it runs with the folder as its root, in a mount
 * namespace of its own, in which project and temporary files stand where they always do. Nothing stays mounted.
 */
const ENTER = [
  'mount --rbind /dev "$1/dev"',
  'mount -t proc proc "$1/proc"',
  'mount --rbind /tmp "$1/tmp"',
  'mkdir -p "$1$2"',
  'mount --rbind "$2" "$1$2"',
  'export TMPDIR=/tmp LC_ALL=C',
  'root=$1; project=$2; shift 2; exec unshare --root="$root" --wd="$project" /usr/bin/node "$@"',
].join(' && ');

/**
 * The command that runs Node 24 in the folder of the project.
 * @returns program and arguments for `spawn`; the process that it starts becomes Node itself
 */
export const inNode24 = (project: string, args: readonly string[]): readonly [string, readonly string[]] => [
  'unshare',
  ['--mount', '--propagation', 'private', '/bin/sh', '-c', ENTER, 'enter', rootOf(FOLDER), project, ...args],
];
