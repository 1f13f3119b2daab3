/*
 * SASLprep (RFC 4013): makes one of the many ways in which the same name or password can be typed.
 *
 * Not covered, where a change of Unicode since its version 3.2 makes a difference: normalisation is that of the
 * Unicode version Node has; code points without a meaning in 3.2 are let through, as RFC 3454 has it for queries; and
 * what is written from right to left is told by script, not by the tables of RFC 3454.
 */

/** Tables C.1.2: spaces. */
const SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu
/** Table B.1: nothing is seen of these. */
// eslint-disable-next-line no-misleading-character-class
const INVISIBLE = /[\u00ad\u034f\u1806\u180b-\u180d\u200c\u200d\u2060\ufe00-\ufe0f\ufeff]/gu
/** Tables C.2 to C.9: control characters, private use, no characters, surrogates, and what changes how others show. */
const PROHIBITED =
  // eslint-disable-next-line no-control-regex, no-misleading-character-class
  /[\u0000-\u001f\u007f-\u009f\u06dd\u070f\u180e\u2028-\u202e\u2060-\u2063\u206a-\u206f\ufff9-\ufffd\u2ff0-\u2ffb\u0340\u0341\u200e\u200f\u{1d173}-\u{1d17a}\u{e0001}\u{e0020}-\u{e007f}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}]/u
/** Table D.1. */
const RIGHT_TO_LEFT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/u

/** The prepared text; undefined where RFC 4013 forbids it. */
export function saslprep(text: string): string | undefined {
  // eslint-disable-next-line no-control-regex
  if (/^[\u0020-\u007e]*$/.test(text)) return text
  const prepared = text.replace(SPACES, ' ').replace(INVISIBLE, '').normalize('NFKC')
  if (prepared === '' || PROHIBITED.test(prepared) || mixesDirections(prepared)) return undefined
  return prepared
}

/** Text from right to left must begin and end as such, and have no letters of the other direction (RFC 3454, 6). */
function mixesDirections(text: string): boolean {
  const characters = [...text]
  const isRightToLeft = (character: string | undefined): boolean =>
    character !== undefined && /\p{L}/u.test(character) && RIGHT_TO_LEFT.test(character)
  if (!characters.some(isRightToLeft)) return false
  if (!isRightToLeft(characters[0]) || !isRightToLeft(characters.at(-1))) return true
  return characters.some((character) => /\p{L}/u.test(character) && !isRightToLeft(character))
}
