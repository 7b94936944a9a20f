/** What a service is started with: its configuration, its connection, and what it opens by them. */
import { readFile } from 'node:fs/promises';
import type { TellLimit } from '../../shared/async/limit-notice.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { Judge } from '../../shared/judge/judge.ts';
import type { JudgePoolOptions } from '../../shared/judge/pool.ts';
import { openKv } from '../../shared/scratch/kv/open.ts';
import type { ScratchOptions } from '../../shared/scratch/options.ts';
import { openQueue } from '../../shared/scratch/queue/open.ts';
import { openSecrets } from '../../shared/secrets/open.ts';
import { openArtifactStore } from '../../shared/world/open.ts';
import type { Config, Env } from './config/config.ts';
import type { ServiceDeps } from './deps.ts';
import { limitTeller } from './tell-limit.ts';

export interface OpeningContext {
  readonly config: Config;
  /** Where secrets of `env:` are. */
  readonly env: Env;
  /** Names this process in the ledger: unique among those that run at once. */
  readonly instance: string;
  readonly deps: ServiceDeps;
}

/** What a service's start gives. */
export interface Opened {
  /** Where it is reached, if it listens. */
  readonly url?: string;
  /** Rejects when the service cannot go on. Never resolves. */
  readonly failure?: Promise<never>;
  /** Takes no more work, ends what it can, leaves the rest for the next start. */
  stop(): Promise<void>;
}

/** A value that `readConfig` has asked for on behalf of this service; here for the types. @throws ERR_CONFIG */
export function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new IsomorphError('ERR_CONFIG', `${name} is missing`);
  return value;
}

export class Opening implements OpeningContext {
  readonly config: Config;
  readonly env: Env;
  readonly instance: string;
  readonly deps: ServiceDeps;
  /** For limits of what this service holds for others. */
  readonly tellLimit: TellLimit;
  readonly #opened: { close(): Promise<void> }[] = [];

  constructor({ config, env, instance, deps }: OpeningContext) {
    this.config = config;
    this.env = env;
    this.instance = instance;
    this.deps = deps;
    this.tellLimit = limitTeller(deps.log);
  }

  /** Something that is closed after the service has stopped, or has failed to start. */
  keep<T extends { close(): Promise<void> }>(opened: T): T {
    this.#opened.push(opened);
    return opened;
  }

  async store() {
    const { artifactsUrl, gatewayUrl, gatewayKeyFile } = this.config;
    const gatewaySecret = gatewayKeyFile === undefined ? undefined : await readFile(gatewayKeyFile);
    return this.keep(
      await openArtifactStore(required(artifactsUrl, 'ARTIFACTS_URL'), {
        nowMs: this.deps.nowMs,
        ...(gatewayUrl === undefined ? {} : { gatewayUrl }),
        ...(gatewaySecret === undefined ? {} : { gatewaySecret }),
      }),
    );
  }

  /** Processes of this service's own, where what users wrote is evaluated. */
  judge(options: JudgePoolOptions = {}): Judge {
    return this.keep(new Judge(options));
  }

  async secrets() {
    return this.keep(await openSecrets(this.config.secretsUrl, this.env));
  }

  /** Undefined: this deployment has none. */
  async kv(options: ScratchOptions) {
    const { kvUrl } = this.config;
    return kvUrl === undefined ? undefined : this.keep(await openKv(kvUrl, options));
  }

  /** Undefined: this deployment has none. */
  async queue(options: ScratchOptions) {
    const { queueUrl } = this.config;
    return queueUrl === undefined ? undefined : this.keep(await openQueue(queueUrl, options));
  }

  /** The key of signed URLs and of the tokens of scratch. */
  gatewayKey(): Promise<Uint8Array> {
    return readFile(required(this.config.gatewayKeyFile, 'ARTIFACTS_GATEWAY_KEY_FILE'));
  }

  /** Closes what was opened, the last first. */
  async close(): Promise<void> {
    for (const opened of this.#opened.splice(0).reverse()) await opened.close();
  }
}
