/** More of what somebody else says is not quoted. */
const MAX_FOREIGN_TEXT = 300
/** Controls (C0 and C1), what changes the direction or is not seen, line and paragraph separators, halves of surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/**
 * What a broker, a resolver, a TLS peer or an endpoint of HTTP says, fit for an error's message or a log: short, and
 * without characters that a terminal obeys or that could pass for another line.
 */
export function foreignText(text: string): string {
  const shown = text.slice(0, MAX_FOREIGN_TEXT).replace(UNPRINTABLE, escaped)
  if (text.length <= MAX_FOREIGN_TEXT && shown.length <= MAX_FOREIGN_TEXT) return shown
  return `${shown.slice(0, MAX_FOREIGN_TEXT)}… (${text.length} characters)`
}

function escaped(character: string): string {
  const hex = (character.codePointAt(0) as number).toString(16)
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`
}
