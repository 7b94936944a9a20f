/** What a signal that was aborted says, beside an answer that it is raced with. */
export const SHUTTING_DOWN = Symbol('shutting down');

/** A signal as a promise that can be let go of: one signal lives as long as the service. */
export function whenAborted(signal: AbortSignal): { promise: Promise<typeof SHUTTING_DOWN>; forget: () => void } {
  let onAbort = (): void => undefined;
  const promise = new Promise<typeof SHUTTING_DOWN>((resolve) => {
    onAbort = () => resolve(SHUTTING_DOWN);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  return { promise, forget: () => signal.removeEventListener('abort', onAbort) };
}
