import type { ProcessName } from '../services.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** An empty variable counts as none: compose files set them so. */
export const isSet = (text: string | undefined): text is string => text !== undefined && text !== '';

/** A process that cannot start without a variable while `holds`. */
export interface Condition {
  readonly by: ProcessName;
  /** The condition, in words. */
  readonly when: string;
  holds(env: Env): boolean;
}

/** One environment variable: what it means, who needs it, how it is read. */
export interface Variable<T> {
  readonly name: string;
  readonly meaning: string;
  /** Processes that cannot start without it. */
  readonly neededBy: readonly ProcessName[];
  readonly neededWhen?: readonly Condition[];
  readonly fallback?: T;
  /** What a right value looks like. */
  readonly expected: string;
  /** The value, or undefined when the text is not usable. */
  parse(text: string): T | undefined;
}

export const variable = <T>(spec: Variable<T>): Variable<T> => spec;

export interface WithFallback<T> extends Variable<T> {
  readonly fallback: T;
}

export const defaulted = <T>(spec: WithFallback<T>): WithFallback<T> => spec;

export const integer =
  (min: number, max: number) =>
  (text: string): number | undefined => {
    const value = Number(text);
    return /^\d+$/.test(text) && value >= min && value <= max ? value : undefined;
  };
