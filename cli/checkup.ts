/** One line of the doctor. A warning is what only some uses need. */
export interface Checkup {
  readonly name: string;
  readonly verdict: 'ok' | 'warn' | 'fail';
  readonly found: string;
  /** What to do about it. */
  readonly remedy?: string;
}

export const ok = (name: string, found: string): Checkup => ({ name, verdict: 'ok', found });
export const warn = (name: string, found: string, remedy: string): Checkup => ({
  name,
  verdict: 'warn',
  found,
  remedy,
});
export const fail = (name: string, found: string, remedy: string): Checkup => ({
  name,
  verdict: 'fail',
  found,
  remedy,
});
