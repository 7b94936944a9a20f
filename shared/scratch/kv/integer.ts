import { IsomorphError } from '../../errors/isomorph-error.ts';

const DECIMAL = /^(0|-?[1-9][0-9]*)$/;

/**
 * What `incr` makes of the value there is: for drivers whose backend does not add by itself.
 * @throws ERR_SCHEMA when it is no decimal integer (as `-?[1-9][0-9]*` or `0`), ERR_RANGE when it or the sum lies beyond
 *   ±(2^53 − 1).
 */
export function addToDecimal(current: Uint8Array | undefined, by: number): number {
  const text = current === undefined ? '0' : Buffer.from(current).toString('latin1');
  if (!DECIMAL.test(text)) throw notAnInteger();
  const sum = Number(text) + by;
  if (!Number.isSafeInteger(Number(text)) || !Number.isSafeInteger(sum)) throw outOfRange();
  return sum;
}

export const notAnInteger = (): IsomorphError =>
  new IsomorphError('ERR_SCHEMA', 'the value is no decimal integer', { pointer: '/key', expected: 'decimal text' });

export const outOfRange = (): IsomorphError =>
  new IsomorphError('ERR_RANGE', 'the value would leave ±(2^53 − 1)', {
    pointer: '/by',
    expected: 'a sum of at most 2^53 − 1 in size',
  });
