/** Servers for tests: `available` says what is there, `provision` installs on Debian as root, `start…` runs one. */
export { type Available, available, findServer, SERVER_NAMES, type ServerName } from './detect.ts';
export { startPostgres } from './postgres.ts';
export { ensureDebianPackages, provision } from './provision.ts';
export { startRedis } from './redis.ts';
export type { RunningServer } from './running.ts';
