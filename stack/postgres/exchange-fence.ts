/**
 * Keeps the message sequences of different connections apart.
 *
 * PGlite is one Postgres session; pglite-socket passes it the messages of all connections one by one and keeps to a
 * connection only inside a transaction. A query with parameters is a sequence, though (Parse, Bind, Describe, Execute, Sync),
 * and another connection's message inside it replaces its statement or is swallowed with its error: the server answers
 * the wrong client or hangs. Telling pglite-socket that an open sequence is a transaction makes it keep to the connection.
 */
import type { PGlite } from '@electric-sql/pglite';
import { isGuarded } from './statement-guard.ts';

/** Front-end messages that leave a sequence open until Sync: Parse, Bind, Describe, Execute, Close, Flush, CopyData. */
const OPENING = new Set([...'PBDECHd'].map((letter) => letter.charCodeAt(0)));
/** Sync ends one, and so does a Query that is answered: the session says ReadyForQuery. */
const SYNC = 'S'.charCodeAt(0);
const QUERY = 'Q'.charCodeAt(0);

const SYNC_MESSAGE = Uint8Array.of('S'.charCodeAt(0), 0, 0, 0, 4);

/** What Postgres refuses to the session as it is: in the place of what would make it the superuser's again. */
const REFUSED_STATEMENT = Buffer.from('set role postgres\0');

/** The message, or one that Postgres answers with the error that the statement in it deserves. */
function guarded(message: Uint8Array): Uint8Array {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  const type = String.fromCharCode(bytes[0] ?? 0);
  if (type !== 'Q' && type !== 'P') return message;
  const start = type === 'Q' ? 5 : bytes.indexOf(0, 5) + 1;
  const end = bytes.indexOf(0, start);
  if (!isGuarded(bytes.toString('utf8', start, end))) return message;
  const replaced = Buffer.concat([bytes.subarray(0, start), REFUSED_STATEMENT, bytes.subarray(end + 1)]);
  replaced.writeInt32BE(replaced.byteLength - 1, 1);
  return replaced;
}

/**
 * The same database, as pglite-socket should see it.
 * @param onBroken the session itself failed (not a statement of it): nothing more will be answered.
 */
export function fenceExchanges(db: PGlite, onBroken: (thrown: unknown) => void): PGlite {
  let open = false;
  const execProtocolRawStream: PGlite['execProtocolRawStream'] = async (received, options) => {
    const message = guarded(received);
    const [type = 0] = message;
    // Inside a sequence that failed Postgres skips all but Sync, and the sequence goes on.
    const mustAnswer = type === QUERY && !open;
    if (OPENING.has(type)) open = true;
    else if (type === SYNC) open = false;
    try {
      let answered = false;
      const onRawData = (data: Uint8Array): void => {
        answered = true;
        options.onRawData(data);
      };
      await db.execProtocolRawStream(message, { ...options, onRawData });
      if (type === QUERY && answered) open = false;
      if (mustAnswer && !answered) throw new Error('the session has not answered a query');
    } catch (thrown) {
      onBroken(thrown);
      throw thrown;
    }
  };
  /** pglite-socket runs only ROLLBACK by it, for a client that left: its open sequence ends there too. */
  const exec: PGlite['exec'] = async (query, options) => {
    if (open) {
      open = false;
      await db.execProtocolRawStream(SYNC_MESSAGE, { onRawData: () => undefined });
    }
    return db.exec(query, options);
  };
  const isInTransaction = (): boolean => open || db.isInTransaction();
  const replaced = { execProtocolRawStream, exec, isInTransaction };
  return new Proxy(db, {
    get: (target, name) => {
      if (Object.hasOwn(replaced, name)) return Reflect.get(replaced, name);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
