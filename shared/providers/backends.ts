import { IsomorphError } from '../errors/isomorph-error.ts';

/** The URL that chose a backend, and what its driver exports. */
export interface ChosenBackend<Backend> {
  readonly url: URL;
  readonly backend: Backend;
}

/** A URL as a user may write it, whose scheme names the backend, and its driver, imported when it is first asked for. */
export type ListedBackend<Backend> = readonly [example: string, load: () => Promise<Backend>];

const schemeOf = (url: string): string | undefined => (URL.canParse(url) ? new URL(url).protocol : undefined);

/** The backends of one primitive by scheme: the list that opening, configuration, documentation and `doctor` read. */
export class Backends<Backend> {
  readonly #primitive: string;
  readonly #listed: ReadonlyMap<string, ListedBackend<Backend>>;

  constructor(primitive: string, list: readonly ListedBackend<Backend>[]) {
    this.#primitive = primitive;
    this.#listed = new Map(list.map((listed) => [new URL(listed[0]).protocol, listed]));
  }

  /** Each with its colon: `redis:`. */
  get schemes(): readonly string[] {
    return [...this.#listed.keys()];
  }

  /** One URL a scheme. */
  get examples(): readonly string[] {
    return [...this.#listed.values()].map(([example]) => example);
  }

  /** Whether the scheme of a URL is listed; the rest is judged by the driver when it opens it. */
  accepts(url: string): boolean {
    return this.#listed.has(schemeOf(url) ?? '');
  }

  /** The backend of a URL. @throws ERR_CONFIG for a scheme that is not listed */
  async find(url: string): Promise<ChosenBackend<Backend>> {
    const scheme = schemeOf(url) ?? '';
    const listed = this.#listed.get(scheme);
    if (listed === undefined) {
      // The URL itself stays out of the message: it may carry a password.
      const message = `no ${this.#primitive} backend has the scheme "${scheme}"`;
      throw new IsomorphError('ERR_CONFIG', message, { expected: `a URL such as ${this.examples.join(', ')}` });
    }
    const [, load] = listed;
    return { url: new URL(url), backend: await load() };
  }
}
