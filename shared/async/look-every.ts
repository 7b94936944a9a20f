/**
 * Looks every so often, one look at a time: one that takes longer than the interval is not overtaken.
 * @param onError of a look that failed; the next one comes as ever
 * @returns what stops it, and waits for the look under way
 */
export function lookEvery(
  everyMs: number,
  look: () => Promise<void>,
  onError: (error: unknown) => void,
): { stop(): Promise<void> } {
  let looking: Promise<void> | undefined;
  const timer = setInterval(() => {
    looking ??= look()
      .catch(onError)
      .finally(() => {
        looking = undefined;
      });
  }, everyMs);
  return {
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}
