/**
 * Which characters a WorldPath may hold, and its two foldings (NFC, lower case). What a reader, a file system or a
 * later release of Unicode could take for something else is refused, never repaired.
 */
import { IsomorphError } from '../errors/isomorph-error.ts';

/** Characters that selectors give a meaning to. A path holds none, so that every path is a selector of itself. */
export const SELECTOR_CHARACTERS = '*{}';

/**
 * - `\p{C}`: controls, NUL, BOM, bidirectional and zero-width formats, tags, lone surrogates, private use, and code
 *   points that are not assigned yet (their folding may change with the next Unicode)
 * - default ignorables: variation selectors, fillers and other marks nobody can see
 * - every space but U+0020, and the two characters that stand for lost text
 */
const UNREADABLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\ufffc\ufffd]|(?! )\p{Zs}/u;

const PLAIN_ASCII = /^[\x20-\x7e]*$/;

/** Some consumer downstream may apply NFKC, and would then see a separator, a dot segment or an escape. */
const HIDDEN_SYNTAX = /[/\\.%]/;

/** `U+202E`, which is safe to print wherever the character itself is not. */
export const codePointName = (character: string): string =>
  `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;

/** Text of a stranger, made fit for a message: quoted, cut, unprintable characters escaped. */
export const quoted = (text: string): string =>
  JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text).replace(
    /[\p{C}\p{Default_Ignorable_Code_Point}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );

function refuseCharacter(character: string, text: string, why: string): never {
  throw new IsomorphError('ERR_CHARACTER', `${codePointName(character)} in ${quoted(text)} ${why}`, {
    expected: 'visible characters with one reading and a lower case that leads back to its capital',
  });
}

/** İ, the Kelvin sign and their like: lowered, they become a letter that belongs to another capital. */
function lowersToAnother(character: string): boolean {
  const lowered = character.toLowerCase();
  return lowered !== character && lowered.toUpperCase() !== character;
}

function checkCase(text: string): void {
  for (const character of text) {
    if (lowersToAnother(character)) refuseCharacter(character, text, 'has a lower case that does not lead back to it');
  }
}

/**
 * Refuses what has more than one reading.
 * @param allowed ASCII punctuation that this text may hold although paths may not
 * @throws IsomorphError ERR_CHARACTER
 */
export function checkCharacters(text: string, allowed = ''): void {
  for (const character of `\\${SELECTOR_CHARACTERS}`) {
    if (!allowed.includes(character) && text.includes(character)) refuseCharacter(character, text, 'is not allowed');
  }
  if (PLAIN_ASCII.test(text)) return;
  const unreadable = UNREADABLE.exec(text);
  if (unreadable !== null) refuseCharacter(unreadable[0], text, 'cannot be seen or has no fixed meaning');
  for (const character of text) {
    if (character > '\x7f' && HIDDEN_SYNTAX.test(character.normalize('NFKC'))) {
      refuseCharacter(character, text, 'can be read as / \\ . or %');
    }
  }
}

/**
 * NFC, then lower case; refused when the two do not commute or when lowering depends on the neighbours (final sigma),
 * because then one name could have two canonical forms.
 * @throws IsomorphError ERR_CHARACTER
 */
export function foldCharacters(text: string): string {
  if (PLAIN_ASCII.test(text)) return text.toLowerCase();
  checkCase(text);
  const composed = text.normalize('NFC');
  checkCase(composed);
  const lowered = composed.toLowerCase();
  let loweredAlone = '';
  for (const character of composed) loweredAlone += character.toLowerCase();
  if (lowered !== loweredAlone || lowered.normalize('NFC') !== lowered) {
    throw new IsomorphError('ERR_CHARACTER', `${quoted(text)} has no stable lower case`, {
      expected: 'the name written in lower case',
    });
  }
  return lowered;
}
