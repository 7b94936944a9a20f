import { isScalar, parseDocument, stringify } from 'yaml';
import { IsomorphError } from '../errors/isomorph-error.ts';

/**
 * A registry file with another image, every other byte as it was: comments, quotes, order and blank lines are people's.
 * @param text a valid registry file of a processor
 * @throws ERR_SCHEMA when its image is not written as plain text, such as an alias
 */
export function withImage(text: string, image: string): string {
  const node = parseDocument(text).get('image', true);
  const [start, end] = (isScalar(node) ? node.range : undefined) ?? [];
  if (!isScalar(node) || start === undefined || end === undefined) {
    const place = { pointer: '/image', expected: 'an image written out' };
    throw new IsomorphError('ERR_SCHEMA', 'the image of this file cannot be replaced', place);
  }
  const isQuoted = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE';
  const written = stringify(image, {
    defaultStringType: isQuoted && node.type !== undefined ? node.type : 'PLAIN',
    lineWidth: 0,
  }).trimEnd();
  // A block scalar ends with its line feed, which a plain one does not have.
  const isBlock = node.type === 'BLOCK_FOLDED' || node.type === 'BLOCK_LITERAL';
  return `${text.slice(0, start)}${written}${isBlock ? '\n' : ''}${text.slice(end)}`;
}
