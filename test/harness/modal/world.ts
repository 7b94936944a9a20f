import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Clock } from './clock.ts';
import { Images } from './images.ts';
import { NamedObjects } from './objects.ts';
import { Sandboxes } from './sandboxes.ts';

export interface StoredSecret {
  env: Readonly<Record<string, string>>;
}

/** What the services share: a sandbox is of an app, an image, secrets and volumes. Made once; a restart forgets nothing. */
export class World {
  readonly clock: Clock;
  readonly images = new Images();
  readonly apps = new NamedObjects('ap', () => ({}));
  readonly secrets = new NamedObjects<StoredSecret>('st', () => ({ env: {} }));
  readonly volumes = new NamedObjects('vo', () => ({ folder: this.folder('volume') }));
  readonly sandboxes: Sandboxes = new Sandboxes(this);
  /** Where workers of V2 sandboxes answer. */
  routerUrl = '';
  #root: string | undefined;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** An empty folder that stands for one of a container. */
  folder(prefix: string): string {
    this.#root ??= mkdtempSync(path.join(os.tmpdir(), 'isomorph-modal-'));
    return mkdtempSync(path.join(this.#root, `${prefix}-`));
  }

  /** Ends what runs, and removes the folders. */
  async close(): Promise<void> {
    await this.sandboxes.close();
    if (this.#root !== undefined) rmSync(this.#root, { recursive: true, force: true });
    this.#root = undefined;
  }
}
