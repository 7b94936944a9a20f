import { IsomorphError } from '../shared/errors/isomorph-error.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'it may not be read',
};

/** What is told of a file of this machine that a command named and that cannot be read. */
export function unreadable(file: string, error: unknown): IsomorphError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new IsomorphError('ERR_FILE', `${file}: ${REASONS[code] ?? message}`, {}, error);
}
