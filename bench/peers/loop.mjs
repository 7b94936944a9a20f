/** How every contender is loaded, each in its own process: whoever starts a job sees its end without another hop. */

/**
 * @typedef {object} Load
 * @property {number} steps of each job, in parallel
 * @property {number} inFlight jobs at once, each followed by the next
 * @property {number} [count] of jobs; absent: as many as begin within `forMs`
 * @property {number} [forMs]
 */
/**
 * @typedef {object} Loaded
 * @property {number} count
 * @property {number} ms from the first start to the last end
 * @property {number[]} latenciesMs
 */

/**
 * @param {(steps: number) => Promise<unknown>} job
 * @param {Load} load
 * @returns {Promise<Loaded>}
 */
export async function loop(
  job,
  { steps, inFlight, count = Number.POSITIVE_INFINITY, forMs = Number.POSITIVE_INFINITY },
) {
  /** @type {number[]} */
  const latenciesMs = [];
  const beganMs = performance.now();
  let begun = 0;
  const worker = async () => {
    while (begun < count && performance.now() - beganMs < forMs) {
      begun += 1;
      const startMs = performance.now();
      await job(steps);
      latenciesMs.push(performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return { count: latenciesMs.length, ms: performance.now() - beganMs, latenciesMs };
}

/**
 * Answers each load that the parent sends over IPC, until it disconnects.
 * @param {(steps: number) => Promise<unknown>} job
 * @param {() => Promise<unknown>} stop
 */
export function serveLoads(job, stop) {
  process.on('message', async (/** @type {Load} */ load) => {
    try {
      process.send?.({ loaded: await loop(job, load) });
    } catch (error) {
      process.send?.({ fault: String(error) });
    }
  });
  process.once('disconnect', () => void stop().finally(() => process.exit()));
  process.send?.({ ready: true });
}
