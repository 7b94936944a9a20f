import type { RunLimits } from '../../run-limits.ts';
import type { ReapRules } from './reaper.ts';

export interface LocalOptions {
  /** Folder for what must outlive this process; the engine must see it under the same path. */
  readonly stateDir: string;
  /** As in `DOCKER_HOST`, which it overrides; only `unix://`. */
  readonly dockerHost?: string;
  /** Names the deployment on its engine, `[a-z0-9]`; by default it follows from `stateDir`. */
  readonly instance?: string;
  /**
   * What processors with a network grant reach, `host:port` each: the gateways of artifacts and scratch. `host:port=host:port`
   * where we find it elsewhere than the URLs of jobs say. Default: nothing.
   */
  readonly endpoints?: readonly string[];
  /** An image with Node, for the relay of processors whose own image has none of ours. */
  readonly relayImage?: string;
  /** For how long beyond a deadline an engine that does not answer is waited for. Default: a minute. */
  readonly enginePatienceMs?: number;
  /** For how long whoever created a container may take to start it. Default: a minute. */
  readonly startGraceMs?: number;
  /** Containers that wait for a job, at most, for one kind of container; in all twice as many. 0 is none. Default: 4. */
  readonly parked?: number;
  /** What was not asked for in this time is not parked any more. Default: a minute. */
  readonly parkedIdleMs?: number;
  /** Connections of all containers to what they are granted. Default: 512. */
  readonly relayConnections?: number;
  /** The largest scratch volume, which is memory of the engine's machine. Default: 1 GiB. */
  readonly scratchBytes?: number;
  /** What is read of a run, in a second. */
  readonly limits?: RunLimits;
  /** Rules of the reaper that tests shorten. */
  readonly reap?: Partial<ReapRules>;
}
