/** The first `length` UTF-16 units of a text, never half a character: canonical JSON refuses lone surrogates. */
export const clip = (text: string, length: number): string =>
  (text.length <= length ? text : `${text.slice(0, length - 1)}…`).toWellFormed();

/** The last `length` units. */
export const clipStart = (text: string, length: number): string =>
  (text.length <= length ? text : `…${text.slice(1 - length)}`).toWellFormed();
