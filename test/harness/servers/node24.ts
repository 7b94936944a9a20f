/** Debian's nodejs 24, unpacked beside the system: about 40 MB to fetch. */
import { type DebianFolder, ensureFolder, rootOf } from './debian-folder.ts';

const FOLDER: DebianFolder = { name: 'node24', packages: ['nodejs'], program: 'usr/bin/node' };

/** @throws as `ensureFolder` */
export const ensureNode24 = (): Promise<void> => ensureFolder(FOLDER);

export const node24Root = (): string => rootOf(FOLDER);
