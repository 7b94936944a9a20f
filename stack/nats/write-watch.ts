/**
 * A disk that was full and has room again: nats-server keeps refusing writes of a stream whose write failed once, without a word
 * to its clients, until it is started anew. ADR 88.
 */
import type { Logger } from 'pino';
import { lookEvery } from '../../shared/async/look-every.ts';
import { OnceAMinute } from '../../shared/async/once-a-minute.ts';
import { freeBytesOn } from '../files.ts';
import { writeFault } from './readiness.ts';

export interface WriteWatchOptions {
  readonly monitorUrl: () => string;
  /** Where the server keeps its streams. */
  readonly dir: string;
  readonly log: Logger;
  readonly onTrouble: (message: string) => void;
  restart(): Promise<void>;
}

const LOOK_EVERY_MS = 2_000;
/** With less room the next write would fail again. */
const ROOM_BYTES = 8 * 1024 * 1024;
/** Between two starts: a disk that fails otherwise is not helped by them. */
const RESTART_EVERY_MS = 10_000;

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

export function watchWrites(options: WriteWatchOptions): { stop(): Promise<void> } {
  const { monitorUrl, dir, log, onTrouble, restart } = options;
  const often = new OnceAMinute();
  let restartedMs = Number.NEGATIVE_INFINITY;
  const look = async (): Promise<void> => {
    const fault = await writeFault(monitorUrl());
    if (fault === undefined) return;
    const freeBytes = await freeBytesOn(dir);
    if (often.due('full') !== undefined) {
      const room = `${megabytes(freeBytes)} free, ${megabytes(ROOM_BYTES)} needed`;
      log.error(
        { fault, free_bytes: freeBytes, needed_bytes: ROOM_BYTES },
        'nats-server cannot write: nothing is recorded',
      );
      onTrouble(`nats-server cannot write, so nothing is recorded: ${room} in ${dir}`);
    }
    if (freeBytes < ROOM_BYTES || performance.now() - restartedMs < RESTART_EVERY_MS) return;
    log.warn({ free_bytes: freeBytes }, 'there is room again: nats-server is started anew');
    await restart();
    restartedMs = performance.now();
    onTrouble('there is room again, and nats-server was started anew');
  };
  return lookEvery(LOOK_EVERY_MS, look, (error: unknown) =>
    log.warn({ err: error }, 'whether nats-server can write is not known'),
  );
}
