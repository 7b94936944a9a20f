import { GRACE_MS } from '../../contract.ts';
import { LABELS } from './container-spec.ts';
import type { ContainerRow, Engine } from './engine.ts';
import { stopContainer } from './follow.ts';
import { isParkedName } from './pool.ts';
import { executionNameOf } from './relays.ts';
import type { Stops } from './stops.ts';

/** What is to become of a container that was found on the engine. */
export type ReapAction = 'keep' | 'remove' | 'time_out';

export interface ReapRules {
  /** For how long whoever created a container may take to start it. */
  readonly startGraceMs: number;
  /** Beyond its deadline, until somebody other than its dispatcher ends a run. */
  readonly overdueMs: number;
  /** Beyond its deadline, for which an ended run is kept for whoever asks for its result. */
  readonly keptEndedMs: number;
  /** As in the pool. */
  readonly parkedMaxAgeMs: number;
}

export interface ReapSight {
  readonly nowMs: number;
  /** Names of all containers of the deployment. */
  readonly names: ReadonlySet<string>;
  /** Containers that this process has parked itself. */
  readonly isOwnParked: (id: string) => boolean;
}

/** Unix time in milliseconds; of one that was parked ahead the latest that it can be. */
function deadlineOf({ labels, createdMs }: ContainerRow, { parkedMaxAgeMs }: ReapRules): number {
  const deadline = Date.parse(labels[LABELS.deadline] ?? '');
  return Number.isNaN(deadline) ? createdMs + parkedMaxAgeMs + Number(labels[LABELS.timeout] ?? 0) * 1000 : deadline;
}

/** Pure. Every container of the deployment has a time after which it is removed, whoever lives then. */
export function judge(row: ContainerRow, rules: ReapRules, { nowMs, names, isOwnParked }: ReapSight): ReapAction {
  const { state, name, createdMs, labels } = row;
  const ageMs = nowMs - createdMs;
  const isNew = ageMs < rules.startGraceMs;
  if (labels[LABELS.role] === 'relay') return isNew || names.has(executionNameOf(name)) ? 'keep' : 'remove';
  if (isParkedName(name)) {
    if (isOwnParked(row.id) || (isNew && state === 'created')) return 'keep';
    // Whose owner is gone has lost its standard input and ended.
    return state !== 'running' || ageMs > 2 * rules.parkedMaxAgeMs ? 'remove' : 'keep';
  }
  if (state === 'created') return ageMs < 2 * rules.startGraceMs ? 'keep' : 'remove';
  const overdueMs = nowMs - deadlineOf(row, rules) - GRACE_MS;
  if (state === 'running') return overdueMs > rules.overdueMs ? 'time_out' : 'keep';
  return overdueMs > rules.keptEndedMs ? 'remove' : 'keep';
}

export interface ReaperOptions extends ReapRules {
  readonly engine: Engine;
  readonly stops: Stops;
  readonly instance: string;
  readonly isOwnParked: (id: string) => boolean;
  /** The execution that a container's name names. */
  readonly executionOf: (name: string) => string;
}

/** Looks after what dispatchers that were killed left on the engine; of this deployment only. */
export class Reaper {
  readonly #options: ReaperOptions;

  constructor(options: ReaperOptions) {
    this.#options = options;
  }

  /** @throws when the engine does not answer */
  async sweep(): Promise<void> {
    const { engine, instance, isOwnParked } = this.#options;
    const rows = await engine.list([`${LABELS.instance}=${instance}`]);
    const sight: ReapSight = { nowMs: Date.now(), names: new Set(rows.map(({ name }) => name)), isOwnParked };
    const settled = await Promise.allSettled(rows.map((row) => this.#act(row, judge(row, this.#options, sight))));
    // One that cannot be dealt with is in nobody else's way.
    const failed = settled.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #act(row: ContainerRow, action: ReapAction): Promise<void> {
    // Without force, one that is started this very moment after all stays.
    if (action === 'remove') await this.#options.engine.remove(row.id, { force: row.state !== 'created' });
    if (action === 'time_out') await this.#timeOut(row);
  }

  /** It stays to be found by whoever asks for its result. */
  async #timeOut({ id, name }: ContainerRow): Promise<void> {
    const { engine, stops, executionOf } = this.#options;
    await stopContainer({ engine, stops, executionId: executionOf(name), containerId: id }, 'timed_out');
  }
}
