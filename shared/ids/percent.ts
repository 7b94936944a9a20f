/** Bytes and percent-encodings to text: strictly UTF-8, decoded exactly once. */
import { IsomorphError } from '../errors/isomorph-error.ts';
import { quoted, SELECTOR_CHARACTERS } from './characters.ts';

// ignoreBOM keeps a BOM in the text, where the character rules refuse it; otherwise it would vanish here.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const ESCAPES = /(?:%[0-9a-f]{2})+/gi;

function strictUtf8(bytes: Uint8Array, shown: string): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    const place = { expected: 'valid UTF-8, shortest form, no surrogates' };
    throw new IsomorphError('ERR_PERCENT_DECODE', `${shown} is not UTF-8`, place, cause);
  }
}

const bytesOf = (escapes: string): Uint8Array =>
  Uint8Array.from(escapes.slice(1).split('%'), (hex) => Number.parseInt(hex, 16));

function decodeEscapes(escapes: string): string {
  const decoded = strictUtf8(bytesOf(escapes), quoted(escapes));
  if (decoded.includes('/')) {
    throw new IsomorphError('ERR_DECODED_SLASH', `${quoted(escapes)} decodes to a slash`, {
      expected: 'the slash itself between segments, and none inside one',
    });
  }
  if (decoded.includes('%')) {
    throw new IsomorphError('ERR_PERCENT_DECODE', `${quoted(escapes)} decodes to another %`, {
      expected: 'each byte encoded once; a path holds no % itself',
    });
  }
  for (const character of SELECTOR_CHARACTERS) {
    if (decoded.includes(character)) {
      throw new IsomorphError('ERR_CHARACTER', `${quoted(escapes)} decodes to ${character}`, {
        expected: `no ${SELECTOR_CHARACTERS} behind an encoding`,
      });
    }
  }
  return decoded;
}

/**
 * Text of a path with its percent-encodings decoded once.
 * @throws IsomorphError ERR_PERCENT_DECODE, ERR_DECODED_SLASH, ERR_CHARACTER
 */
export function decodeOnce(input: string | Uint8Array): string {
  const text = typeof input === 'string' ? input : strictUtf8(input, 'the path');
  if (!text.includes('%')) return text;
  if (text.replace(ESCAPES, '').includes('%')) {
    throw new IsomorphError('ERR_PERCENT_DECODE', `${quoted(text)} holds a % that starts no encoding`, {
      expected: '% followed by two hex digits',
    });
  }
  return text.replace(ESCAPES, decodeEscapes);
}
