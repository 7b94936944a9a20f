import { setMaxListeners } from 'node:events';
import { backoffMs, delay } from '../../../async/delay.ts';
import { IsomorphError } from '../../../errors/isomorph-error.ts';
import type { Environment } from '../../../ledger/events.ts';
import type { Processor } from '../../../plan/registry.ts';
import { toModalError } from '../../../providers/modal/account.ts';
import type { Report } from '../../contract.ts';
import { fingerprint } from '../../fingerprint.ts';
import { endedWithout } from '../../outcome.ts';
import { RUN_LIMITS, type RunLimits } from '../../run-limits.ts';
import type { Assignment, RunHandle, RuntimeAdapter, Sought } from '../../runtime.ts';
import { type FoundSandbox, isSilence, ModalControl } from './control.ts';
import { type ModalPlace, placeOf } from './place.ts';
import { TAGS } from './request.ts';
import { BACKOFF, watchSandbox } from './watch.ts';

export interface ModalRuntimeOptions {
  /** `modal:<environment>?app=<name>&region=<name>,<name>`; every part may be left out. Default `modal:`. */
  readonly url?: string | undefined;
  /** After so long without an answer of Modal's a run is given up as lost. Default: two minutes. */
  readonly lostAfterMs?: number;
  /** What is read of a run, in a second. */
  readonly limits?: RunLimits;
}

const LOST_AFTER_MS = 120_000;
const DIGEST = /@(sha256:[0-9a-f]{64})$/;

type OnReport = (report: Report) => void;

/** An answer of Modal's that nothing can be started so is no silence, whatever its class. */
function toStartError(error: unknown): IsomorphError {
  const told = toModalError(error);
  return told.code === 'ERR_UNAVAILABLE' ? new IsomorphError('ERR_START', told.message, told.place, error) : told;
}

/** Whether an error is Modal's way to say that a sandbox of this name runs. */
const isTaken = (error: unknown): boolean => error instanceof Error && error.name === 'AlreadyExistsError';

/**
 * Runs processors in Modal sandboxes (docs/modal.md, ADR 60). A sandbox is named after its execution, so that only one of it can
 * run, and does nothing until it is given its job on standard input. What has to outlive the dispatcher is in its tags.
 */
export class ModalRuntime implements RuntimeAdapter {
  readonly adapter = 'modal';
  readonly #control: ModalControl;
  readonly #place: ModalPlace;
  readonly #lostAfterMs: number;
  readonly #limits: RunLimits;
  readonly #closing: AbortController;
  /** Executions that are being started here: not found to be without a job. */
  readonly #starting = new Map<string, Promise<unknown>>();

  private constructor(
    control: ModalControl,
    place: ModalPlace,
    { lostAfterMs = LOST_AFTER_MS, limits = RUN_LIMITS }: ModalRuntimeOptions,
    closing: AbortController,
  ) {
    this.#control = control;
    this.#place = place;
    this.#lostAfterMs = lostAfterMs;
    this.#limits = limits;
    this.#closing = closing;
  }

  /**
   * Loads the SDK and reads its configuration; nothing is asked of Modal yet.
   * @throws ERR_CONFIG for an unusable URL, or without a token
   */
  static async open(options: ModalRuntimeOptions = {}): Promise<ModalRuntime> {
    const place = placeOf(options.url ?? 'modal:');
    const { ModalClient } = await import('modal');
    const { environment } = place;
    const client = new ModalClient({ logLevel: 'error', ...(environment === '' ? {} : { environment }) });
    if (client.profile.tokenId === undefined && client.profile.oauthRefreshToken === undefined) {
      const expected = 'MODAL_TOKEN_ID and MODAL_TOKEN_SECRET, or a profile in ~/.modal.toml';
      throw new IsomorphError('ERR_CONFIG', 'the modal runtime has no token', { expected });
    }
    const closing = new AbortController();
    // Every run and every call under way listens to it.
    setMaxListeners(0, closing.signal);
    const control = new ModalControl(client, place, closing.signal);
    return new ModalRuntime(control, place, options, closing);
  }

  async run(assignment: Assignment, onReport?: OnReport): Promise<RunHandle> {
    const { executionId, deadlineMs } = assignment;
    const starting = this.#ask(() => this.#start(assignment));
    this.#starting.set(executionId, starting);
    try {
      return this.#handle(executionId, await starting, deadlineMs, onReport);
    } catch (error) {
      const result = endedWithout(startFailure(assignment, error));
      return { executionId, wait: async () => result };
    } finally {
      this.#starting.delete(executionId);
    }
  }

  async find({ executionId, deadlineMs }: Sought, onReport?: OnReport): Promise<RunHandle | undefined> {
    await this.#starting.get(executionId)?.catch(() => undefined);
    const found = await this.#lookUp(executionId);
    if (found === undefined) return undefined;
    // Whoever made it was killed before it could give it the job, and nobody else has one for it.
    if (!isGiven(found) && (await this.#isRunning(found))) {
      await this.#ask(() => this.#control.stop(found, 'undelivered'));
    }
    return this.#handle(executionId, found, deadlineMs, onReport);
  }

  async kill(executionId: string): Promise<void> {
    await this.#starting.get(executionId)?.catch(() => undefined);
    const found = await this.#lookUp(executionId);
    if (found === undefined || !(await this.#isRunning(found))) return;
    await this.#ask(() => this.#control.stop(found, 'killed'));
  }

  /** Modal keeps ended sandboxes as long as it likes: a tag says that this one is over for us. Its volume goes at once. */
  async forget(executionId: string): Promise<void> {
    const found = await this.#lookUp(executionId);
    // A volume may be there without a sandbox: whoever was to start it was refused, or died, in between.
    if (found === undefined) return this.#ask(() => this.#control.deleteVolume(executionId));
    const { sandbox, tags } = found;
    // Its end is in the ledger, whatever it still does: it was given up as lost.
    if (await this.#isRunning(found)) await this.#ask(() => sandbox.terminate());
    if (tags[TAGS.volume] !== undefined) await this.#ask(() => this.#control.deleteVolume(executionId));
    await this.#ask(() => this.#control.markForgotten(found));
  }

  async environment(processor: Processor, secretNames: readonly string[]): Promise<Environment> {
    return fingerprint(processor, secretNames, {
      adapter: this.adapter,
      image_digest: DIGEST.exec(processor.image)?.[1] ?? (await this.#imageOfModal(processor)),
      region: this.#place.regions.join(',') || 'any',
      versions: { modal: this.#control.sdkVersion, sandbox: this.#control.versionFor(processor) },
    });
  }

  /** Modal pulls a tag once for an account and keeps that image: it does not move. */
  async pinImage(): Promise<undefined> {
    return undefined;
  }

  /** Sandboxes go on: they are taken up again by the next process. */
  async close(): Promise<void> {
    this.#closing.abort();
  }

  /** Modal's own id of an image without a digest: what it pulled for that name, once and for all. */
  async #imageOfModal({ image }: Processor): Promise<string> {
    const built = await this.#control.image(image).catch(() => undefined);
    return built === undefined ? '' : `modal:${built.imageId}`;
  }

  /** The sandbox of an execution with its job: made here, or found where somebody else made it. */
  async #start(assignment: Assignment): Promise<FoundSandbox> {
    const { executionId, processor } = assignment;
    const versions = [this.#control.versionFor(processor)];
    const known = await this.#control.lookUp(executionId, versions);
    if (known !== undefined && (await this.#control.wait(known.sandbox, 0)) !== undefined) return known;
    const found = known ?? (await this.#create(assignment));
    return isGiven(found) ? found : this.#give(found, assignment);
  }

  /** A lost answer shows as a name that is taken, by our own sandbox or that of a dispatcher that was faster. */
  async #create(assignment: Assignment): Promise<FoundSandbox> {
    try {
      return await this.#control.create(assignment);
    } catch (error) {
      if (!isTaken(error)) throw error;
      const found = await this.#control.lookUp(assignment.executionId, [
        this.#control.versionFor(assignment.processor),
      ]);
      if (found === undefined) throw error;
      return found;
    }
  }

  /**
   * Writes the job to standard input, which Modal stores nowhere, then says so in a tag. Killed in between, the run is ended and
   * tried again; given twice, the second time changes nothing: each byte has its place.
   */
  async #give(found: FoundSandbox, { job }: Assignment): Promise<FoundSandbox> {
    const { sandbox } = found;
    const tags = { ...found.tags, [TAGS.job]: 'given' };
    try {
      await sandbox.stdin.writeText(`${JSON.stringify(job)}\n`);
      await sandbox.stdin.close();
      await sandbox.setTags(tags);
    } catch (error) {
      // It may have ended without reading its input, which its result tells.
      if (isSilence(error) || (await this.#control.wait(sandbox, 0)) === undefined) throw error;
    }
    return { sandbox, tags };
  }

  #handle(executionId: string, found: FoundSandbox, deadlineMs: number, onReport: OnReport | undefined): RunHandle {
    const result = watchSandbox(found, {
      control: this.#control,
      deadlineMs,
      onReport,
      lostAfterMs: this.#lostAfterMs,
      executionId,
      limits: this.#limits,
      signal: this.#closing.signal,
    });
    return { executionId, wait: () => result };
  }

  async #isRunning({ sandbox }: FoundSandbox): Promise<boolean> {
    return (await this.#ask(() => this.#control.wait(sandbox, 0))) === undefined;
  }

  #lookUp(executionId: string): Promise<FoundSandbox | undefined> {
    return this.#ask(() => this.#control.lookUp(executionId));
  }

  /** Asks until Modal answers, as long as a run waits for it: everything that is asked may be asked again. */
  async #ask<T>(question: () => Promise<T>): Promise<T> {
    const untilMs = Date.now() + this.#lostAfterMs;
    for (let faults = 0; ; faults++) {
      try {
        return await question();
      } catch (error) {
        if (!isSilence(error)) throw toStartError(error);
        if (this.#closing.signal.aborted || Date.now() > untilMs) throw toModalError(error);
        await delay(backoffMs(faults, BACKOFF));
      }
    }
  }
}

const isGiven = ({ tags }: FoundSandbox): boolean => tags[TAGS.job] !== undefined;

/** What Modal refuses is known not to run; without an answer nothing is known: the execution is lost, and tried again. */
function startFailure({ processor }: Assignment, error: unknown): Parameters<typeof endedWithout>[0] {
  const { code, message } = toModalError(error);
  const reason = `${processor.ref} (${processor.image}): ${message}`;
  return code === 'ERR_UNAVAILABLE' ? { kind: 'lost', reason } : { kind: 'not_started', reason };
}
