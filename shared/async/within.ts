/**
 * The outcome of `answer`, or what `late` returns or throws when there is none after `ms`. What comes later is let go, its
 * failure too. Many at once are cheaper with the scratch's `Deadlines`.
 */
export async function within<T>(ms: number, answer: Promise<T>, late: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  }).then(late);
  try {
    return await Promise.race([answer, expiry]);
  } finally {
    clearTimeout(timer);
  }
}
