/** What ioredis throws, as codes of ours. Its error objects stay inside: they repeat arguments, which are values and passwords. */
import type { ErrorCode } from '../../errors/codes.ts';
import { IsomorphError } from '../../errors/isomorph-error.ts';

/** First words of a server's error replies that pass by themselves. */
const PASSING = /^(LOADING|BUSY|CLUSTERDOWN|TRYAGAIN|MASTERDOWN|READONLY|NOREPLICAS|MISCONF|OOM|UNBLOCKED)$/;
/** First words of replies by which a server says that it is not, or not now, the one to ask. */
const DEMOTED = /^(READONLY|LOADING|MASTERDOWN)\b/;
const REFUSED = /^(NOAUTH|WRONGPASS|NOPERM|DENIED)$/;
/** Faults of this program; all else that is no reply is a connection that broke or was not made. */
const DEFECTS: readonly string[] = ['TypeError', 'RangeError', 'ReferenceError', 'ArgumentError'];

/**
 * Behind one name a failover changes the server, and a connection that lasts stays with the old one: it is ended, so that the
 * next one is made to whom the name means by then.
 */
export const isDemoted = ({ message }: Error): boolean => DEMOTED.test(message);

function codeOf(word: string): ErrorCode {
  if (REFUSED.test(word)) return 'ERR_CONFIG';
  return PASSING.test(word) ? 'ERR_UNAVAILABLE' : 'ERR_INTERNAL';
}

function translated(what: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof IsomorphError || DEFECTS.includes(error.name)) return error;
  if (error.name === 'ReplyError') {
    const [word = ''] = error.message.split(' ');
    return new IsomorphError(codeOf(word), `redis ${what}: the server answered ${word}`);
  }
  return new IsomorphError('ERR_UNAVAILABLE', `redis ${what}: the server cannot be reached (${error.message})`);
}

/** For `catch`: the fault of an operation, translated. */
export const redisFailure =
  (what: string) =>
  (error: unknown): never => {
    throw translated(what, error);
  };

/** Runs an operation, its faults translated. */
export async function guarded<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw translated(what, error);
  }
}
