/** The one Range header of HTTP that is worth serving: a single range of bytes. */

const SINGLE = /^bytes=(\d{0,15})-(\d{0,15})$/;

/**
 * @param size bytes of the object
 * @returns undefined: send all of it (no header, or one that RFC 9110 lets a server ignore)
 */
export function parseRangeHeader(
  header: string | undefined,
  size: number,
): { readonly offset: number; readonly length: number } | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = SINGLE.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { offset: size - length, length };
  }
  const offset = Number(first);
  if (last !== '' && Number(last) < offset) return undefined;
  if (offset >= size) return 'unsatisfiable';
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return { offset, length: end - offset + 1 };
}
