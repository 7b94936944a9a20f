/** What a resolver gives for a name. Neither shows a value when it is printed, logged or made JSON of. Pure. */

/** `util.inspect.custom`, which is a registered symbol so that nobody needs to import it. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

const shown = (names: readonly string[]): string => `[secrets ${names.join(', ')}]`;

/** A secret whose value is in the memory of this process. */
export class SecretValue {
  readonly kind = 'value';
  readonly name: string;
  readonly #value: string;

  constructor(name: string, value: string) {
    this.name = name;
    this.#value = value;
  }

  /** The value itself: for the environment of a processor, and for what keeps it out of logs. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return shown([this.name]);
  }

  toJSON(): string {
    return shown([this.name]);
  }

  [INSPECT](): string {
    return shown([this.name]);
  }
}

/** A secret that stays with Modal: nobody here can read it, and only the modal runtime can have it injected. */
export interface SecretHandle {
  readonly kind: 'handle';
  /** The environment variable, and the name of the Modal secret that holds it. */
  readonly name: string;
  readonly provider: 'modal';
  /** Environment of Modal; '' is the default one of the token. */
  readonly environment: string;
}

/**
 * Values by name for whoever starts a process: the properties are there to be read and spread, but printing the object
 * shows its names alone.
 */
export function concealed(values: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const text = (): string => shown(Object.keys(values));
  const hidden = { value: text, enumerable: false };
  return Object.freeze(Object.defineProperties({ ...values }, { toJSON: hidden, toString: hidden, [INSPECT]: hidden }));
}
