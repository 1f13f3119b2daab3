import { expect, it } from 'vitest'
import { foreignText } from '../../src/wording/foreign-text.js'

it.each([
  [
    'controls',
    'no\n2026 INFO login ok\r\t\x1b[2J\x07\x7f',
    'no\\u000a2026 INFO login ok\\u000d\\u0009\\u001b[2J\\u0007\\u007f',
  ],
  ['controls beyond ASCII', 'a\x85b\x9b2J', 'a\\u0085b\\u009b2J'],
  [
    'what turns text around or is not seen',
    'a\u202eb\u2066c\u200bd\ufeff\u{e0041}',
    'a\\u202eb\\u2066c\\u200bd\\ufeff\\u{e0041}',
  ],
  ['line and paragraph separators', 'a\u2028b\u2029', 'a\\u2028b\\u2029'],
  ['halves of characters', 'a\ud83d', 'a\\ud83d'],
])('%s in what others say are shown as escapes', (_, text, shown) => {
  expect(foreignText(text)).toBe(shown)
})

it('what others say is kept as it is where it is plain', () => {
  const text = 'The topic ‘größe’ is “full” 👍 \\ "x"'
  expect(foreignText(text)).toBe(text)
  expect(foreignText('x'.repeat(300))).toBe('x'.repeat(300))
})

it.each(['x', '\n', '👍'])('at most some 300 characters of what others say are shown: %j', (character) => {
  const shown = foreignText(character.repeat(5_000_000))
  expect(shown.length).toBeLessThan(350)
  expect(shown).toMatch(new RegExp(`… \\(${5_000_000 * character.length} characters\\)$`))
})
