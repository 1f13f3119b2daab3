/**
 * Whether a string has half of a pair, for which UTF-8 has no bytes: Java would store a question mark, and Node another
 * character.
 */
export function hasLoneSurrogate(text: string): boolean {
  // Known to every Node since 20, but not to the types that are asked for here.
  return !(text as string & { isWellFormed(): boolean }).isWellFormed()
}
