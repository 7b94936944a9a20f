/** Servers for tests: `available` says what is there, `provision` installs on Debian as root, `start…` runs one. */

export type { Available } from './available.ts';
export { type CephOptions, type RunningCeph, startCeph } from './ceph.ts';
export { type OpenPage, openInChromium } from './chromium.ts';
export { available, findServer, SERVER_NAMES, type ServerName } from './detect.ts';
export { type OwnDocker, type RunningDocker, startDocker, startOwnDocker } from './docker.ts';
export { KERNEL_REFUSES } from './docker-proof.ts';
export { startSqsServer } from './fauxqs.ts';
export { startMoto } from './moto.ts';
export { startPostgres } from './postgres.ts';
export { ensureDebianPackages, provision } from './provision.ts';
export { startRedis } from './redis.ts';
export type { RunningServer } from './running.ts';
